"""Every model, one YAML file each; the key `kind` says which type describes it."""

from __future__ import annotations

from typing import Any

from mlsysim.core.errors import InvalidEntry, did_you_mean
from mlsysim.core.registry import Catalog
from mlsysim.models.convnet import ConvNetWorkload
from mlsysim.models.diffusion import DiffusionWorkload
from mlsysim.models.recommendation import RecommendationWorkload
from mlsysim.models.statespace import StateSpaceWorkload
from mlsysim.models.transformer import TransformerWorkload
from mlsysim.models.types import Workload
from mlsysim.models.vision_transformer import VisionTransformerWorkload

KINDS: dict[str, type[Workload]] = {
    "transformer": TransformerWorkload,
    "convnet": ConvNetWorkload,
    "vision_transformer": VisionTransformerWorkload,
    "recommendation": RecommendationWorkload,
    "diffusion": DiffusionWorkload,
    "statespace": StateSpaceWorkload,
}


def build(spec: dict[str, Any]) -> Workload:
    """The workload that a specification describes; raises InvalidEntry."""
    kind = spec.get("kind")
    if not isinstance(kind, str) or kind not in KINDS:
        remedy = f"kind says what the model is; {did_you_mean(kind, sorted(KINDS))}"
        raise InvalidEntry(str(spec.get("name", "model")), "kind", remedy)
    return KINDS[kind](**spec)


Models: Catalog[Workload] = Catalog("Models", "models", build)
