"""Import of a model from a Hugging Face `config.json` on disk; nothing is fetched.

The file gives the dimensions, and the parameters are counted from them.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from mlsysim.core.errors import BadArgument, InvalidEntry, shown
from mlsysim.core.values import Source
from mlsysim.models.architectures import ARCHITECTURES, REFUSED
from mlsysim.models.configuration import Config
from mlsysim.models.registry import KINDS
from mlsysim.models.types import Workload

# What a model that also sees says beside its `text_config`.
_OUTSIDE = ("_name_or_path", "quantization_config", "tie_word_embeddings")
_MANY_BYTES = 10_000_000  # no configuration is longer; a file of weights is


def from_config(path: str | Path, name: str | None = None) -> Workload:
    """The model that a `config.json` (or the folder that holds one) describes.

    Raises InvalidEntry that names the file, the key and what would do. Its parameters are those of
    the language model: no pooler, no modules that predict further tokens, no adapters, nothing that
    sees. Where the file says that its weights are quantised, a note says at which precision to
    solve it.
    """
    file = Path(path)
    file = file / "config.json" if file.is_dir() else file
    return from_data(_read(file), name, file)


def from_data(
    data: Mapping[str, Any], name: str | None = None, file: Path = Path("config.json")
) -> Workload:
    """The model that the data of a `config.json` describes, as in `from_config`."""
    kind = data.get("model_type")
    if isinstance(kind, str) and kind in REFUSED:
        raise InvalidEntry(str(file), "model_type", f"it says {kind!r}; {REFUSED[kind]}")
    if not isinstance(kind, str) or kind not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        given = shown(kind) if kind is not None else "nothing"
        raise InvalidEntry(str(file), "model_type", f"it says {given}; known are {known}")
    spoken = data.get("text_config")
    if isinstance(spoken, Mapping):
        data = {**{key: data[key] for key in _OUTSIDE if key in data}, **spoken}
    fields, extra = ARCHITECTURES[kind](Config(str(file), data))
    title = name or _title(data.get("_name_or_path"), file)
    note = _stored(data)
    source = Source(kind="user", ref=str(file), read=dt.date.today(), note=note)
    try:
        described = KINDS[fields.pop("kind", "transformer")]
        draft = described(**fields, name=title, sources={"default": source})
    except InvalidEntry as error:
        raise InvalidEntry(str(file), error.key, error.remedy) from None
    return draft.replace(parameters=draft.parameters + extra) if extra else draft


def _read(file: Path) -> Mapping[str, Any]:
    try:
        if file.stat().st_size > _MANY_BYTES:
            raise InvalidEntry(str(file), "", "it is too long; give a config.json")
        data = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", error)
        raise InvalidEntry(str(file), "", f"it cannot be read ({why})") from None
    except json.JSONDecodeError as error:
        remedy = f"it is not JSON ({error.msg})"
        raise InvalidEntry(str(file), f"line {error.lineno}", remedy) from None
    except (RecursionError, ValueError) as error:
        if isinstance(error, InvalidEntry):
            raise
        raise InvalidEntry(str(file), "", "it is no configuration; give a config.json") from None
    if not isinstance(data, Mapping):
        raise InvalidEntry(str(file), "", "it should hold one object of keys and values")
    return data


def _title(path: Any, file: Path) -> str:
    """What to call the model: as it calls itself, or as its folder is called."""
    own = str(path).strip("/").rpartition("/")[2] if isinstance(path, str) else ""
    return own.strip() or file.resolve().parent.name or file.stem


# What `quant_method` (or the algorithm that it names) says of the weights.
_METHODS = {"fp8": "fp8", "fbgemm_fp8": "fp8", "mxfp4": "fp4", "nvfp4": "fp4"}
_BITS = {("int", 4): "int4", ("int", 8): "int8", ("float", 4): "fp4", ("float", 8): "fp8"}


def _stored(data: Mapping[str, Any]) -> str | None:
    """At which precision the file's weights are kept, and how to ask for that."""
    quantised = data.get("quantization_config")
    if not isinstance(quantised, Mapping):
        return None
    method = str(quantised.get("quant_method", "unknown"))
    bits = quantised.get("bits") or quantised.get("w_bit")
    if quantised.get("load_in_4bit") or quantised.get("load_in_8bit"):
        bits = 4 if quantised.get("load_in_4bit") else 8
    kind = "int"
    match quantised.get("config_groups"):
        case {"group_0": {"weights": {"num_bits": bits, "type": kind}}}:
            pass
    algorithm = str(quantised.get("quant_algo", method)).lower()
    precision = _METHODS.get(algorithm) or _BITS.get((kind, bits))  # pyright: ignore[reportArgumentType]
    if precision is None:
        return f"its weights are quantised ({method}) in a way that no precision here stands for"
    return f"its weights are quantised ({method}): solve it with precision={precision!r}"


def to_yaml(model: Workload) -> str:
    """The model as one of the registry's YAML files; `Models.from_yaml` reads it back."""
    data = model.to_dict()
    order = ["kind", "name", *(key for key in data if key not in ("kind", "name", "sources"))]
    ordered = {key: data[key] for key in [*order, "sources"]}
    return yaml.safe_dump(ordered, sort_keys=False, allow_unicode=True, width=100)


def save(model: Workload, path: str | Path) -> None:
    """Write a model's YAML to a new file; raises BadArgument where that cannot be."""
    try:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(to_yaml(model))
    except FileExistsError:
        raise BadArgument("out", str(path), "it exists; choose another name") from None
    except OSError as error:
        raise BadArgument("out", str(path), f"it cannot be written ({error.strerror})") from None
