"""The registries: every entry, every value with its source; and the stacks beside each other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docs.kit import Page, plain, table
from mlsysim.core.registry import LAYERS, audit_provenance, catalog
from mlsysim.core.values import Source


def registry_pages() -> list[tuple[str, list[Page]]]:
    """What the registries hold at all, and by layer a page for each shelf."""
    layers = [
        (layer, [_shelf(layer, *each) for each in catalog(layer).shelves()]) for layer in LAYERS
    ]
    found = audit_provenance()
    kinds = sorted(found.kinds.items(), key=lambda pair: -pair[1])
    rows = [
        [f"[{layer}.{page.name}](@/{page.path})", str(len(getattr(catalog(layer), page.name)))]
        for layer, pages in layers
        for page in pages
    ]
    parts = [
        "# Registries",
        f"{found.entries:,} entries hold {found.values:,} numbers, and {len(found.missing)} of "
        "them have no source. `mlsysim audit` counts them, `mlsysim zoo LAYER` lists them, and an "
        "entry of your own is one YAML file ([recipes](@/recipes.md)).",
        table(("shelf", "entries"), rows),
        table(("kind of source", "numbers"), [[kind, f"{count:,}"] for kind, count in kinds]),
    ]
    head = Page("registries/index.md", "All shelves", "\n\n".join(parts))
    return [("", [head]), *layers]


def _shelf(layer: str, name: str, shelf: Any) -> Page:
    parts = [f"# {layer.capitalize()}.{name}"]
    for stem in shelf:
        parts += [f"## {stem} {{ #{stem} }}", *_entry(shelf[stem])]
    return Page(f"registries/{layer}_{name.lower()}.md", name, "\n\n".join(parts))


def _entry(entry: Any) -> list[str]:
    """What an entry is called, its values with the numbers of their sources, and the sources."""
    values: dict[str, list[str]] = {}
    for path, value in _leaves(entry.to_dict()):
        if path != "name" and path.partition(".")[0] != "sources":
            values.setdefault(path, []).append(_written(value))
    sources = list(dict.fromkeys(map(_cited, filter(None, map(entry.source_of, values)))))

    def from_(path: str) -> str:
        source = entry.source_of(path)
        return str(sources.index(_cited(source)) + 1) if source else ""

    rows = [[f"`{path}`", plain(", ".join(said)), from_(path)] for path, said in values.items()]
    cited = [f"{at}. {said}" for at, said in enumerate(sources, 1)]
    name = [plain(entry.name)] if entry.name != entry.stem else []
    return [*name, table(("field", "value", "source"), rows), "\n".join(cited)]


def _leaves(data: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """The values of plain data, in which other entries stand by name; a list has one path."""
    if isinstance(data, (dict, list)):
        for key, part in data.items() if isinstance(data, dict) else [("", each) for each in data]:
            yield from _leaves(part, f"{path}.{key}".strip("."))
    else:
        yield path, data


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) and value >= 10_000 else str(value)


def _cited(source: Source) -> str:
    ref = f"[{plain(source.ref)}](<{source.url}>)" if source.url else plain(source.ref)
    read = f", read {source.read}" if source.read else ""
    return f"{ref} ({source.kind}{read})" + (f": {plain(source.note)}" if source.note else "")


def stack_table() -> str:
    """Every stack: what it is for, what it was measured on, and by which factor it may be off."""
    rows = [
        [
            f"[`{stem}`](@/registries/stacks_{name.lower()}.md#{stem})",
            plain(stack.summary or ""),
            name.lower(),
            plain(", ".join(stack.generations)),
            _factors(stack.spread, "half", "most"),
            _factors(stack.spread, "new_half", "new_most"),
        ]
        for name, shelf in catalog("stacks").shelves()
        for stem in shelf
        for stack in [shelf[stem]]
    ]
    factors = ("half, 9 of 10 within", "on others")
    return table(("stack", "for", "shelf", "measured on", *factors), rows)


def _factors(spread: Any, *parts: str) -> str:
    told = [getattr(spread, part, None) for part in parts]
    return "×&nbsp;" + ", ".join(f"{factor:.2f}" for factor in told) if all(told) else ""
