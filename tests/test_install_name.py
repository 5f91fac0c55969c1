"""The package index gives this project's name to another one: nothing here may lead a reader there.

The rule: no file tells an installer to fetch `mlsysim`, or writes it as a requirement with an extra
or a version; a notebook's header that names it says that it is the clone the notebook stands in;
the project's own lists never name it. Our version is above the other's, and is no pre-release
(which an installer passes over), so that one which sees both keeps ours.
"""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import mlsysim
from tests.notebooks import ROOT

PUBLISHED = "mlsysim==0.3.0"  # the other project's
ALLOWED = {"benchmarks/side_by_side.py": PUBLISHED}  # measures it, in an environment of its own
FETCH = re.compile(
    r"(?:\b(?:pip3?|pipx|tool|conda|mamba|micropip)[\s.]+(?:install|run|download)\b"
    r"|\b(?:uv|poetry|pdm|rye)\s+add\b|\buvx\b|--with\b)"
    r"[^\n;&|]*?(?<![\w./-])mlsysim(?![\w./:-])"
)
REQUIRED = re.compile(r"(?<![\w./-])mlsysim(?:\[[\w, -]*\]|[=~<>!]=[\w.]+)")
HEADER = re.compile(r"^# /// script\n((?:#.*\n)*?)# ///$", re.MULTILINE)
SKIPPED = {"__pycache__", "node_modules", "dist", "build"}
WRITTEN = {".py", ".pyi", ".md", ".toml", ".yaml", ".yml", ".txt", ".ipynb", ".html", ".css", ""}


def files():
    """Every file of the project that is written to be read."""
    for path in sorted(ROOT.rglob("*")):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part != ".ci" for part in parts)
        if path.is_file() and not hidden and not SKIPPED & {*parts} and path.suffix in WRITTEN:
            yield path


def leads(text):
    """What in a text leads to the index."""
    return [match[0] for rule in (FETCH, REQUIRED) for match in rule.finditer(text)]


def header(text):
    """What a notebook's header says, or nothing."""
    found = HEADER.search(text)
    lines = found[1].splitlines() if found else ()
    return tomllib.loads("\n".join(line[2:] for line in lines))


def requirements(table):
    """The names in every list of requirements, however deep."""
    for key, value in table.items():
        if isinstance(value, dict):
            yield from requirements(value)
        elif key in ("dependencies", "requires") or isinstance(value, list):
            yield from (str(item) for item in value)


def test_no_line_leads_to_the_other_project():
    found = {}
    for path in files():
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if path != ROOT / "tests" / "test_install_name.py":
            found[name] = [lead for lead in leads(text) if lead != ALLOWED.get(name)]
    assert {name: told for name, told in found.items() if told} == {}
    assert {"README.md", ".ci/run", *ALLOWED, "tutorials/00_hello_roofline.py"} <= set(found)


@pytest.mark.parametrize(
    "line",
    [
        "pip install mlsysim",
        "pip install 'mlsysim[mcp]'",
        "python -m pip install -U mlsysim",
        "%pip install numpy mlsysim",
        "uv add mlsysim",
        "uvx mlsysim learn",
        "uv run --with mlsysim notebook.py",
        "uv tool install mlsysim",
        "pipx run mlsysim learn",
        'await micropip.install("mlsysim")',
        '"mlsysim==0.3.0"',
        'dependencies = ["mlsysim[test]"]',
        "mlsysim>=1.0",
    ],
)
def test_a_line_that_leads_there_is_seen(line):
    assert leads(line)


@pytest.mark.parametrize(
    "line",
    [
        "pip install -e . && mlsysim learn",
        "pip install dist/mlsysim-1.0.0-py3-none-any.whl",
        'pip install -e ".[mcp]"',
        "uv run mlsysim learn",
        "pip install 'mcp>=2'",
        "mlsysim.__version__ == other",
    ],
)
def test_a_line_that_stays_at_home_passes(line):
    assert not leads(line)


def test_a_notebooks_header_names_the_clone_that_it_stands_in():
    notebooks = [path for path in files() if path.suffix == ".py"]  # a recipe shows one as well
    headed = {path: header(path.read_text(encoding="utf-8")) for path in notebooks}
    headed = {path: said for path, said in headed.items() if said}
    assert {path.parent.name for path in headed} == {"tutorials", "exercises", "solutions"}
    for path, said in headed.items():
        assert "mlsysim" in said["dependencies"]
        source = said["tool"]["uv"]["sources"]["mlsysim"]
        assert (path.parent / source["path"]).resolve() == ROOT.resolve()
        assert source["editable"] is True


def test_the_projects_own_lists_never_name_it():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lists = {key: project.get(key, {}) for key in ("build-system", "dependency-groups")}
    lists["project"] = {
        key: project["project"].get(key, {}) for key in ("dependencies", "optional-dependencies")
    }
    named = {Requirement(text).name for text in requirements(lists)}
    assert {"numpy", "pytest", "hatchling"} <= named
    assert "mlsysim" not in named


def test_a_resolver_that_sees_both_keeps_ours():
    ours, theirs = Version(mlsysim.__version__), Version(PUBLISHED.partition("==")[2])
    assert ours > theirs
    assert not ours.is_prerelease  # installers pass over those, and would take the other
