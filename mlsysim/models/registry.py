"""Every model, one YAML file each; the key `kind` says which type describes it."""

from __future__ import annotations

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
Workload.kinds.update(KINDS)

Models: Catalog[Workload] = Catalog("Models", "models", Workload)
