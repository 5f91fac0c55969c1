"""Shelves of YAML entries, loaded one by one when they are first asked for.

A `Shelf` is one folder; its files' stems are the entries' names. A `Catalog` holds several shelves
of one type and answers both `Hardware.Cloud.H100` and the flat `Hardware.H100`. Folders given with
`add_folder` (or in $MLSYSIM_REGISTRY) have the same layout as the shipped ones,
`<layer>/<shelf>/<Name>.yaml`, and an entry there replaces a shipped one of the same name.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

import yaml

from mlsysim.core import plugins
from mlsysim.core.errors import InvalidEntry, UnknownEntry
from mlsysim.core.provenance import Audit, audit
from mlsysim.core.units import NUMBER, read_number
from mlsysim.core.values import BY_USER, Entry

T = TypeVar("T", bound=Entry)
V = TypeVar("V")
_PACKAGE = Path(__file__).parent.parent
_folders: list[Path] = []
_catalogs: dict[str, Catalog[Any]] = {}


_NUMBERS = ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int")
_FastLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_FastLoader):
    """YAML whose numbers are ours: 1_000, 0x10, 010 and 1:30 are text, and refused as numbers."""

    yaml_implicit_resolvers: ClassVar = {
        sign: [(tag, pattern) for tag, pattern in known if tag not in _NUMBERS]
        for sign, known in _FastLoader.yaml_implicit_resolvers.items()
    }


def _plain_number(loader: Any, node: Any) -> int | float:
    text = loader.construct_scalar(node)
    number = read_number(text)
    return int(text) if text.lstrip("+-").isdecimal() else number


_Loader.add_implicit_resolver(
    _NUMBERS[0], re.compile(f"(?:{NUMBER.pattern})$"), list("+-.0123456789")
)
for _tag in _NUMBERS:
    _Loader.add_constructor(_tag, _plain_number)


class Shelf(Generic[T]):
    """One folder of entries of one type; attribute access loads `<folder>/<name>.yaml`."""

    def __init__(self, title: str, kind: type[T], files: Mapping[str, Path]) -> None:
        self._title, self._kind, self._files = title, kind, dict(files)
        self._loaded: dict[str, T] = {}

    if not TYPE_CHECKING:  # a type checker is to see the shipped names, which registry.pyi lists

        def __getattr__(self, name: str) -> T:
            if name.startswith("_"):
                raise AttributeError(name)
            return self._entry(name)

    def __getitem__(self, name: str) -> T:
        return self._entry(self.known(name) or name)

    def known(self, name: str) -> str | None:
        """The entry that a name means, as `alike` reads it; None where none is meant."""
        return alike(name, self._files)

    def _entry(self, name: str) -> T:
        if name not in self._loaded:
            if name not in self._files:
                raise UnknownEntry(self._title, name, self._files)
            self._loaded[name] = load(self._files[name], self._read)
            vars(self._loaded[name])["_stem"] = name
        return self._loaded[name]

    def from_spec(self, spec: Mapping[str, Any]) -> T:
        """An entry of your own, of this shelf's type; raises InvalidEntry."""
        if not isinstance(spec, Mapping):
            remedy = f"a specification is a mapping of keys, not {type(spec).__name__}"
            raise InvalidEntry(self._title, "", remedy)
        return self._kind.build(self._kind.alone(spec, BY_USER))

    def _read(self, data: dict[str, Any]) -> T:
        return self._kind.build(self._kind.alone(data, {}))

    def from_yaml(self, path: str | Path) -> T:
        """An entry of your own, from a YAML file; raises InvalidEntry that names file and key."""
        return load(Path(path), self.from_spec)

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._files))

    def __len__(self) -> int:
        return len(self._files)

    def __contains__(self, name: object) -> bool:
        return name in self._files

    def __dir__(self) -> list[str]:
        return sorted(self._files)

    def __repr__(self) -> str:
        return f"{self._title}: {', '.join(self)}"


class Catalog(Generic[T]):
    """The shelves of one layer, with flat look-up by an entry's name.

    `kinds` are the entries' types; the folder of their layer holds `data/<shelf>/*.yaml`.
    """

    def __init__(self, *kinds: type[T]) -> None:
        homes = [kind.home for kind in kinds if kind.home]
        self._kinds = dict(zip((home.shelf for home in homes), kinds, strict=True))
        self._layer, self._title = homes[0].layer, homes[0].layer.capitalize()
        self._shelves: dict[str, Shelf[T]] | None = None
        _catalogs[self._layer] = self

    def from_spec(self, spec: Mapping[str, Any]) -> T:
        """An entry of your own, from a mapping in the YAML files' format; raises InvalidEntry.

        Where shelves hold different types, ask the shelf: `Systems.Nodes.from_spec({...})`.
        """
        return self._shelf("", {}).from_spec(spec)

    def from_yaml(self, path: str | Path) -> T:
        """An entry of your own, from a YAML file; raises InvalidEntry that names file and key."""
        return load(Path(path), self.from_spec)

    def entries(self) -> Iterator[tuple[str, T]]:
        """Every (name, entry), loading them all."""
        for shelf in self._all().values():
            for stem in shelf:
                yield stem, shelf[stem]

    def shelves(self) -> Iterator[tuple[str, Shelf[T]]]:
        """Every (name, shelf)."""
        yield from self._all().items()

    def __getitem__(self, name: str) -> T:
        return self._found(self.known(name) or name, [])

    def known(self, name: str) -> str | None:
        """The entry that a name means, as `alike` reads it; None where none is meant."""
        return alike(name, self)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            if name.startswith("_"):
                raise AttributeError(name)
            shelves = self._all()
            return shelves[name] if name in shelves else self._found(name, shelves)

    def _found(self, name: str, beside: Iterable[str]) -> T:
        for shelf in self._all().values():
            if name in shelf:
                return shelf[name]
        raise UnknownEntry(self._title, name, [*beside, *self])

    def __iter__(self) -> Iterator[str]:
        return (stem for shelf in self._all().values() for stem in shelf)

    def __len__(self) -> int:
        return sum(len(shelf) for shelf in self._all().values())

    def __contains__(self, name: object) -> bool:
        return any(name in shelf for shelf in self._all().values())

    def __dir__(self) -> list[str]:
        return [*self._all(), *self, "entries", "from_spec", "from_yaml", "shelves"]

    def __repr__(self) -> str:
        return "\n".join([self._title, *(f"  {shelf!r}" for shelf in self._all().values())])

    def _all(self) -> dict[str, Shelf[T]]:
        if self._shelves is None:
            places: dict[str, tuple[str, Path]] = {}
            for folder in (folders := _folders_of(self._layer)):
                # what stands beside the shipped shelves is no entry
                own = [] if folder == folders[0] else sorted(folder.glob("*.yaml"))
                for path in [*sorted(folder.glob("*/*.yaml")), *own]:
                    shelf = "Custom" if path.parent == folder else shelf_name(path.parent.name)
                    places.pop(path.stem, None)  # a name stands on one shelf: the later folder wins
                    places[path.stem] = shelf, path
            files: dict[str, dict[str, Path]] = {}
            for stem, (shelf, path) in places.items():
                files.setdefault(shelf, {})[stem] = path
            self._shelves = {shelf: self._shelf(shelf, held) for shelf, held in files.items()}
        return self._shelves

    def _shelf(self, shelf: str, files: Mapping[str, Path]) -> Shelf[T]:
        title = f"{self._title}.{shelf or 'Custom'}"
        if kind := self._kinds.get(shelf) or self._kinds.get(""):
            return Shelf(title if shelf else self._title, kind, files)
        folders = ", ".join(name.lower() for name in self._kinds)
        raise InvalidEntry(title, "", f"its shelves hold different types; use one of {folders}")


def alike(name: str, names: Collection[str]) -> str | None:
    """The one name that is meant: it itself, whatever its case, or behind a Hugging Face id.

    >>> names = ["Llama3_8B", "Qwen2_5_72B"]
    >>> alike("meta-llama/Meta-Llama-3-8B-Instruct", names), alike("qwen2.5-72B", names)
    ('Llama3_8B', 'Qwen2_5_72B')
    """
    if isinstance(name, str) and name in names:
        return name
    owned = re.fullmatch(r"[\w-]+/[\w.-]+", str(name)) is not None
    meant = [each for each in names if _bare(each, owned) == _bare(name, owned)]
    return meant[0] if len(meant) == 1 else None


_DRESS = re.compile(r"^meta|(instruct|chat|base|hf|it)+$")


def _bare(name: str, owned: bool) -> str:
    """A name without its case; of one that has an owner, letters and digits without its tuning."""
    plain = str(name).casefold()
    if owned:
        return _DRESS.sub("", re.sub(r"[^a-z0-9]", "", plain.rpartition("/")[2]))
    return re.sub(r"[-. ]", "_", plain)


def shelf_name(folder: str) -> str:
    """The attribute under which a folder stands: `cloud` is `Hardware.Cloud`."""
    return "".join(part.capitalize() for part in folder.split("_"))


def load(path: Path, build: Callable[[dict[str, Any]], V]) -> V:
    """Read a YAML file and build its entry; raises InvalidEntry with file, key and remedy."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", error)
        raise InvalidEntry(str(path), "", f"it cannot be read ({why})") from None
    data = parse_yaml(text, str(path))
    try:
        return build(data)
    except InvalidEntry as error:
        if error.file.endswith(".yaml"):
            raise
        raise InvalidEntry(str(path), error.key, error.remedy) from None


def parse_yaml(text: str, where: str) -> dict[str, Any]:
    """The mapping that YAML `text` holds; a key written twice is an error, not a silent choice."""
    try:
        loader = _Loader(text)
    except yaml.YAMLError as error:
        raise _not_yaml(where, error) from None
    try:
        node = loader.get_single_node()
        _plain_tree(node, where, set())
        data = loader.construct_document(node) if node else None
    except yaml.YAMLError as error:
        raise _not_yaml(where, error) from None
    except (ValueError, TypeError, OverflowError) as error:
        if isinstance(error, InvalidEntry):
            raise
        raise InvalidEntry(where, "", f"it holds a value that is none ({error})") from None
    finally:
        loader.dispose()
    if not isinstance(data, dict):
        raise InvalidEntry(where, "", "it should hold a mapping of keys and values")
    return data


def _not_yaml(where: str, error: yaml.YAMLError) -> InvalidEntry:
    mark = getattr(error, "problem_mark", None)
    line = f"line {mark.line + 1}" if mark else ""
    return InvalidEntry(
        where, line, f"it is not YAML ({' '.join(str(getattr(error, 'problem', error)).split())})"
    )


def _plain_tree(node: Any, where: str, seen: set[int]) -> None:
    """Refuse what data has no need of: keys written twice, keys that are no words, and aliases."""
    if node is None or isinstance(node, yaml.ScalarNode):
        return
    line = f"line {node.start_mark.line + 1}"
    if id(node) in seen:
        raise InvalidEntry(where, line, "an alias repeats it elsewhere; write it out")
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for part in node.value:
            _plain_tree(part, where, seen)
        return
    keys = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
            raise InvalidEntry(
                where, f"line {key.start_mark.line + 1}", "a key is a word; put quotes around it"
            )
        if key.value in keys:
            raise InvalidEntry(
                where,
                f"line {key.start_mark.line + 1}",
                f"key {key.value!r} stands twice; keep one",
            )
        keys.add(key.value)
        _plain_tree(value, where, seen)


def user_folders() -> list[Path]:
    """The folders of user entries: of plugins, of $MLSYSIM_REGISTRY, of `add_folder`."""
    named = [
        Path(part) for part in os.environ.get("MLSYSIM_REGISTRY", "").split(os.pathsep) if part
    ]
    for folder in named:
        _check_folder(folder, "MLSYSIM_REGISTRY")
    return [*plugins.folders(), *named, *_folders]


def add_folder(folder: str | Path) -> None:
    """Add a folder of user entries, laid out as shipped ones are: `hardware/cloud/MyChip.yaml`."""
    path = Path(folder)
    _check_folder(path, "registry")
    if path not in _folders:
        _folders.append(path)
    forget()


def forget() -> None:
    """Look at the folders afresh: after `add_folder`, or when a YAML file was edited."""
    for held in _catalogs.values():
        held._shelves = None


def _check_folder(path: Path, argument: str) -> None:
    if not path.is_dir():
        raise InvalidEntry(argument, "", f"there is no folder {str(path)!r}")
    if not any((path / layer).is_dir() for layer in LAYERS):
        layers = ", ".join(LAYERS)
        raise InvalidEntry(
            argument, "", f"folder {str(path)!r} holds none of the sub-folders {layers}"
        )


def home_of(layer: str) -> Path:
    """The package folder of a layer; scenarios live with the room that judges them."""
    return _PACKAGE / ("evaluation/scenarios" if layer == "scenarios" else layer)


def _folders_of(layer: str) -> list[Path]:
    return [home_of(layer) / "data", *(top / layer for top in user_folders())]


def catalog(layer: str) -> Catalog[Any]:
    """The registry of one layer, by the layer's name."""
    if layer not in _catalogs:
        home = home_of(layer).relative_to(_PACKAGE).as_posix().replace("/", ".")
        import_module(f"mlsysim.{home}.registry")
    return _catalogs[layer]


LAYERS = (
    *("hardware", "models", "infrastructure", "systems", "literature", "stacks", "scenarios"),
)


def registry_hash() -> str:
    """A short fingerprint of every entry that is in force, user folders included."""
    digest = hashlib.sha256()
    for layer in LAYERS:
        for folder in _folders_of(layer):
            for path in sorted(folder.rglob("*.yaml")):
                digest.update(f"{layer}/{path.relative_to(folder).as_posix()}\n".encode())
                digest.update(path.read_bytes().replace(b"\r\n", b"\n"))
    return digest.hexdigest()[:16]


def audit_provenance() -> Audit:
    """Check that every value of every registry entry has a traceable source.

    >>> audit_provenance().passed
    True
    """
    for layer in LAYERS:
        catalog(layer)
    return audit(
        (f"{held._title}.{stem}", entry)
        for held in _catalogs.values()
        for stem, entry in held.entries()
    )
