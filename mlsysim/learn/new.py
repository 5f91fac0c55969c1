"""`python -m mlsysim.learn.new 04 starving_the_gpu`: the files of a new lesson.

It writes facts and a tutorial, which run as they are, into the clone that you stand in, and
overwrites nothing.
"""

from __future__ import annotations

import re
import sys
from importlib import resources
from pathlib import Path

from mlsysim.core.errors import BadArgument, MLSysError

_SLUG = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
FILES = {"facts.yaml": "mlsysim/course/{}.yaml", "tutorial.py.txt": "tutorials/{}.py"}
NEXT = """\
Write physics and words in {tutorial}. Then:
  marimo edit {tutorial}
  python -m grading derive && python -m tests.notebooks {stem}
  pytest -q tests/test_lessons.py -k {stem}
  python -m tests.browser.sheets {stem}
"""


def create(number: str, slug: str, root: Path) -> list[Path]:
    """Write the files of lesson `number` below `root`; returns them.

    Raises BadArgument for what can be no stem, and where a file of that number is there already.
    """
    if not re.fullmatch(r"\d{1,2}", number):
        raise BadArgument("number", number, "give the lesson's number, as in 04")
    if not _SLUG.fullmatch(slug):
        raise BadArgument("slug", slug, "give small words joined by _, as in starving_the_gpu")
    if not (root / "mlsysim" / "course").is_dir():
        raise BadArgument("folder", str(root), "stand in a clone of mlsysim")
    stem = f"{int(number):02}_{slug}"
    for path in (root / "mlsysim" / "course").glob(f"{stem[:2]}_*.yaml"):
        raise BadArgument("number", number, f"{path.name} has it; take a free one")
    written = []
    for template, place in FILES.items():
        text = resources.files("mlsysim.learn").joinpath("template", template).read_text("utf-8")
        for word, value in (
            ("NN_SLUG", stem),
            ("NUMBER", str(int(number))),
            ("TITLE", slug.replace("_", " ").capitalize()),
        ):
            text = text.replace(word, value)
        path = root / place.format(stem)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        written.append(path)
    return written


def main(given: list[str]) -> int:
    """Write the files and say what comes next; 2 for what makes no sense."""
    try:
        number, slug = given
        facts, tutorial = create(number, slug, Path.cwd())
    except ValueError as error:
        said = error if isinstance(error, MLSysError) else f"{__doc__}".splitlines()[0]
        sys.stderr.write(f"{said}\n")
        return 2
    place = tutorial.relative_to(Path.cwd()).as_posix()
    sys.stdout.write(
        f"wrote {facts.name}, {place}\n{NEXT.format(tutorial=place, stem=tutorial.stem)}"
    )
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
