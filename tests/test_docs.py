"""The documentation: made of the code and the data, it is whole and loads nothing from afar."""

from __future__ import annotations

import html
import os
import re
import tomllib
from functools import cache
from html.parser import HTMLParser
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from urllib.parse import unquote, urlparse

import pytest

import mlsysim
from docs.kit import Page
from docs.reference import functions
from docs.repository import citation
from docs.site import build, nav
from mlsysim import equations, solvers
from mlsysim.core.registry import LAYERS, catalog
from mlsysim.mcp.tools import tools
from mlsysim.walls import WALLS
from tests.browser.conftest import FLAGS, PATIENCE, chromium
from tests.notebooks import ROOT

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Seen(HTMLParser):
    """What a page loads, where it leads, which places it has, and what it says."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = {""}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        if told.get("rel") != "canonical" and LOADED.get(tag) in told:
            self.loads.append(told[LOADED[tag]])
        if tag == "a" and "href" in told:
            self.links.append(told["href"])
        self.places |= {told[name] for name in ("id", "name") if name in told}


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("zensical", reason='it is drawn by zensical: pip install -e ".[docs]"')
    return build(tmp_path_factory.mktemp("docs"))


@cache
def seen(path: Path) -> Seen:
    return Seen(path.read_text(encoding="utf-8"))


def page(site: Path, name: str) -> str:
    return (site / f"{name}.html").read_text(encoding="utf-8")


def formulas(text: str) -> list[str]:
    """The formulas of a page, as they are written before they are drawn."""
    found = re.findall(r'<(?:span|div) class="arithmatex">\\[(\[](.*?)\\[)\]]</', text, re.DOTALL)
    return [html.unescape(each) for each in found]


def flat(parts) -> list[Page]:
    """All pages of a map."""
    return [
        page
        for _, held in parts
        for page in (held if held and isinstance(held[0], Page) else flat(held))
    ]


def test_what_pages_lead_to_is_made_and_every_wall_tells_its_equations():
    made = {each.path: each.text for each in flat(nav())}
    leads = {link for text in made.values() for link in re.findall(r"\]\(@/([^)#]*)", text)}
    assert len(leads) > 80
    assert leads <= made.keys()
    told = [text for path, text in made.items() if re.match(r"walls/\d", path)]
    assert len(told) == len(WALLS) == 22
    for wall, text in zip(WALLS, told, strict=True):
        assert text.count("$$") >= 2 * len(wall.equations), wall.name
    assert "| all |" in made["accuracy.md"]
    assert "| all |" not in made["index.md"]


def test_without_what_draws_it_one_is_told_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("docs.site.find_spec", lambda name: None)
    with pytest.raises(RuntimeError, match=r"pip install -e \"\.\[docs\]\""):
        build(tmp_path)


@pytest.mark.slow
def test_every_wall_has_its_page_with_its_equations_and_its_solvers(site):
    assert len(WALLS) == 22
    pages = sorted((site / "walls").glob("[0-9][0-9]_*.html"))
    assert [int(path.name[:2]) for path in pages] == [wall.number for wall in WALLS]
    for wall, path in zip(WALLS, pages, strict=True):
        text = path.read_text(encoding="utf-8")
        assert len(re.findall(r'<div class="arithmatex">', text)) >= len(wall.equations), wall.name
        assert text.count("<strong>Source:</strong>") == len(wall.equations), wall.name
        leads = [link.rpartition("/")[2] for link in seen(path).links]
        assert all(f"{name}.html" in leads for name in wall.solvers), wall.name
    assert len(formulas(page(site, "walls/index"))) == 22


@pytest.mark.slow
def test_equations_solvers_commands_tools_and_names_are_all_there(site):
    for _, room, _ in iter_modules(equations.__path__):
        module = import_module(f"mlsysim.equations.{room}")
        assert {each.__name__ for each in functions(module)} <= seen(
            site / "equations" / f"{room}.html"
        ).places, room
    for name in solvers.SOLVERS:
        assert f"{name}().solve" in re.sub(r"<[^>]*>", "", page(site, f"solvers/{name}")), name
    named = seen(site / "python.html").places
    assert {*mlsysim.__all__} - {*solvers.SOLVERS} <= named
    assert {*tools()} <= seen(site / "tools.html").places
    assert {"plan", "eval", "solve", "zoo", "learn"} <= seen(site / "commands.html").places


@pytest.mark.slow
def test_every_entry_stands_in_the_registries_with_the_documents_of_its_numbers(site):
    for layer in LAYERS:
        for name, shelf in catalog(layer).shelves():
            there = seen(site / "registries" / f"{layer}_{name.lower()}.html")
            assert {*shelf} <= there.places, name
            urls = {source.url for stem in shelf for source in shelf[stem].sources.values()}
            assert urls - {None} <= {*there.links}, name
    h100 = page(site, "registries/hardware_cloud").partition('id="H100"')[2].partition("<h2")[0]
    assert "3.35 TB/s" in h100
    assert "glennklockwood.com/garden/processors/h100" in h100
    capstone = page(site, "registries/scenarios_serving").partition('id="Capstone"')[2]
    # what an entry is made of stands by its name
    assert "Llama3_70B" in html.unescape(capstone.partition("<h2")[0])


@pytest.mark.slow
def test_nothing_is_loaded_from_elsewhere(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 100
    for path in pages:
        loads = seen(path).loads
        assert loads
        assert not [each for each in loads if urlparse(each).netloc], path.name
    for path in site.rglob("*.css"):
        fetched = re.findall(
            r"(?:url\(|@import )[\"']?([^\"')]+)", path.read_text(encoding="utf-8")
        )
        assert not [each for each in fetched if urlparse(each).netloc], path.name


@pytest.mark.slow
def test_every_link_inside_leads_to_a_place_that_is_there(site):
    broken = []
    for path in sorted(site.rglob("*.html")):
        if path.name == "404.html":  # is shown at any address, so its links are absolute
            continue
        for link in {*seen(path).links, *seen(path).loads}:
            where = urlparse(link)
            if where.scheme or where.netloc:
                continue
            there = (path.parent / unquote(where.path)).resolve() if where.path else path
            place = unquote(where.fragment)
            if not there.is_file() or (there.suffix == ".html" and place not in seen(there).places):
                broken.append(f"{path.relative_to(site)}: {link}")
    assert not broken, broken[:20]


@pytest.mark.slow
@pytest.mark.browser
def test_katex_draws_every_equation_and_the_search_answers_without_a_server(site):
    if chromium() is None:  # CI has one, or has to say that it has none
        (pytest.fail if os.environ.get("CI") else pytest.skip)(
            "no Chromium here: install Debian's package `chromium`"
        )
    from playwright.sync_api import sync_playwright

    told = {each for path in site.rglob("*.html") for each in formulas(path.read_text("utf-8"))}
    assert len(told) > 100
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        tab, asked = browser.new_page(), []
        tab.set_default_timeout(PATIENCE)
        tab.on("request", lambda request: asked.append(request.url))
        tab.goto((site / "walls" / "index.html").as_uri())
        assert tab.locator("article .katex-display").count() == 22
        assert tab.locator(".katex-error").count() == 0
        refused = tab.evaluate(
            """all => all.filter(
                tex => { try { katex.renderToString(tex) } catch { return true } }
            )""",
            sorted(told),
        )
        assert refused == []
        tab.keyboard.press("/")
        tab.wait_for_function("document.activeElement !== document.body")
        tab.keyboard.type("young_daly")
        tab.locator("a:has-text('young_daly')").first.click()
        tab.wait_for_url(re.compile(r"/equations/fleet\.html.*#young_daly$"))
        tab.goto((site / "index.html").as_uri(), wait_until="load")
        tab.locator(".md-typeset__scrollwrap[tabindex='0']").first.wait_for()  # without a mouse
        browser.close()
    assert not [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


def test_the_citation_is_whole_and_of_this_version():
    # what the Citation File Format 1.2.0 requires, and what else stands in the project's own lists
    said = citation()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert said["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= said.keys()
    assert said["type"] in ("software", "dataset")
    for author in said["authors"]:
        assert author.keys() >= {"name"} or author.keys() & {"family-names", "given-names"}
    assert str(said["version"]) == mlsysim.__version__
    assert said["license"] == project["license"]
