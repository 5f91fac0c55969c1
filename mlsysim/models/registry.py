"""Every model, one YAML file each; the key `kind` says which type describes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module

from mlsysim.core.registry import Catalog
from mlsysim.models.types import Workload

_TYPES = {
    "transformer": "TransformerWorkload",
    "convnet": "ConvNetWorkload",
    "vision_transformer": "VisionTransformerWorkload",
    "recommendation": "RecommendationWorkload",
    "diffusion": "DiffusionWorkload",
    "statespace": "StateSpaceWorkload",
    "speech": "SpeechWorkload",
}


class _Kinds(Mapping[str, type[Workload]]):
    """The types by their kind, each in a module of that name, which is imported when it is used."""

    def __getitem__(self, kind: str) -> type[Workload]:
        return getattr(import_module(f"{__package__}.{kind}"), _TYPES[kind])

    def __iter__(self) -> Iterator[str]:
        return iter(_TYPES)

    def __len__(self) -> int:
        return len(_TYPES)


KINDS = Workload.kinds = _Kinds()

Models: Catalog[Workload] = Catalog(Workload)
