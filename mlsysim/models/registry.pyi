# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.models.convnet import ConvNetWorkload as ConvNetWorkload
from mlsysim.models.diffusion import DiffusionWorkload as DiffusionWorkload
from mlsysim.models.recommendation import RecommendationWorkload as RecommendationWorkload
from mlsysim.models.speech import SpeechWorkload as SpeechWorkload
from mlsysim.models.statespace import StateSpaceWorkload as StateSpaceWorkload
from mlsysim.models.transformer import TransformerWorkload as TransformerWorkload
from mlsysim.models.types import Workload as Workload
from mlsysim.models.vision_transformer import VisionTransformerWorkload as VisionTransformerWorkload
from collections.abc import Mapping

KINDS: Mapping[str, type[Workload]]

class _Diffusion:
    SDXL: DiffusionWorkload
    StableDiffusion1_5: DiffusionWorkload

class _DiffusionShelf(_Diffusion, Shelf[DiffusionWorkload]): ...

class _Language:
    BERT_Base: TransformerWorkload
    BERT_Large: TransformerWorkload
    BLOOM_176B: TransformerWorkload
    BLOOM_proto_181B: TransformerWorkload
    BLOOM_proto_187B: TransformerWorkload
    DeepSeek_R1: TransformerWorkload
    DeepSeek_V3: TransformerWorkload
    DeepSeek_V3_2: TransformerWorkload
    DeepSeek_V4_Flash: TransformerWorkload
    DeepSeek_V4_Pro: TransformerWorkload
    Falcon_180B: TransformerWorkload
    GLM_4_5: TransformerWorkload
    GLM_4_5_Air: TransformerWorkload
    GLM_4_6: TransformerWorkload
    GLM_5: TransformerWorkload
    GPT2: TransformerWorkload
    GPT2_XL: TransformerWorkload
    GPT3_175B: TransformerWorkload
    GPT_OSS_120B: TransformerWorkload
    GPT_OSS_20B: TransformerWorkload
    Gemma2_9B: TransformerWorkload
    Gemma3_12B: TransformerWorkload
    Gemma3_27B: TransformerWorkload
    Gemma3_4B: TransformerWorkload
    Kimi_K2: TransformerWorkload
    LLaMA_13B: TransformerWorkload
    LLaMA_33B: TransformerWorkload
    LLaMA_65B: TransformerWorkload
    LLaMA_7B: TransformerWorkload
    Llama2_13B: TransformerWorkload
    Llama2_70B: TransformerWorkload
    Llama2_7B: TransformerWorkload
    Llama3_1_70B: TransformerWorkload
    Llama3_1_8B: TransformerWorkload
    Llama3_2_1B: TransformerWorkload
    Llama3_2_3B: TransformerWorkload
    Llama3_3_70B: TransformerWorkload
    Llama3_405B: TransformerWorkload
    Llama3_70B: TransformerWorkload
    Llama3_8B: TransformerWorkload
    Llama4_Maverick: TransformerWorkload
    Llama4_Scout: TransformerWorkload
    MPT_125M: TransformerWorkload
    MPT_1B: TransformerWorkload
    MPT_30B: TransformerWorkload
    MPT_350M: TransformerWorkload
    MPT_70B: TransformerWorkload
    MPT_7B: TransformerWorkload
    MaxText_16B: TransformerWorkload
    MaxText_32B: TransformerWorkload
    MaxText_512B: TransformerWorkload
    Megatron_1_3B: TransformerWorkload
    Megatron_1_7B: TransformerWorkload
    Megatron_20B: TransformerWorkload
    Megatron_22B: TransformerWorkload
    Megatron_310B: TransformerWorkload
    Megatron_345M: TransformerWorkload
    Megatron_39B: TransformerWorkload
    Megatron_76B: TransformerWorkload
    Megatron_7_5B: TransformerWorkload
    MiniMax_M2: TransformerWorkload
    Mistral_7B: TransformerWorkload
    Mistral_7B_v0_2: TransformerWorkload
    Mistral_Small_3: TransformerWorkload
    Mixtral_8x22B: TransformerWorkload
    Mixtral_8x7B: TransformerWorkload
    Nemotron3_Nano: TransformerWorkload
    OPT_175B: TransformerWorkload
    OpenLlama_3B: TransformerWorkload
    PaLM_540B: TransformerWorkload
    Phi3_mini: TransformerWorkload
    Phi4: TransformerWorkload
    Qwen2_5_72B: TransformerWorkload
    Qwen2_5_7B: TransformerWorkload
    Qwen3_0_6B: TransformerWorkload
    Qwen3_14B: TransformerWorkload
    Qwen3_235B_A22B: TransformerWorkload
    Qwen3_30B_A3B: TransformerWorkload
    Qwen3_32B: TransformerWorkload
    Qwen3_4B: TransformerWorkload
    Qwen3_5_122B_A10B: TransformerWorkload
    Qwen3_5_27B: TransformerWorkload
    Qwen3_5_35B_A3B: TransformerWorkload
    Qwen3_5_397B_A17B: TransformerWorkload
    Qwen3_8B: TransformerWorkload
    Qwen3_Next_80B_A3B: TransformerWorkload
    TinyLlama_1_1B: TransformerWorkload

class _LanguageShelf(_Language, Shelf[TransformerWorkload]): ...

class _Recommendation:
    DLRM: RecommendationWorkload
    DLRM_DCNv2: RecommendationWorkload

class _RecommendationShelf(_Recommendation, Shelf[RecommendationWorkload]): ...

class _Speech:
    Whisper_large_v3: SpeechWorkload

class _SpeechShelf(_Speech, Shelf[SpeechWorkload]): ...

class _Statespace:
    Mamba1_2_8B: StateSpaceWorkload
    Mamba2_2_7B: StateSpaceWorkload

class _StatespaceShelf(_Statespace, Shelf[StateSpaceWorkload]): ...

class _Tiny:
    AnomalyDetection: ConvNetWorkload
    KeywordSpotting: ConvNetWorkload
    PersonDetection: ConvNetWorkload
    TinyResNet: ConvNetWorkload

class _TinyShelf(_Tiny, Shelf[ConvNetWorkload]): ...

class _Vision:
    ConvNeXt_Base: ConvNetWorkload
    DenseNet121: ConvNetWorkload
    EfficientNet_B0: ConvNetWorkload
    MobileNetV2: ConvNetWorkload
    RegNetY_016: ConvNetWorkload
    RegNetY_032: ConvNetWorkload
    ResNeXt101_32x4d: ConvNetWorkload
    ResNet152: ConvNetWorkload
    ResNet18: ConvNetWorkload
    ResNet26: ConvNetWorkload
    ResNet50: ConvNetWorkload
    SE_ResNet50: ConvNetWorkload
    VGG16: ConvNetWorkload
    ViT_B_16: VisionTransformerWorkload
    ViT_B_16_384: VisionTransformerWorkload
    ViT_L_16: VisionTransformerWorkload

class _VisionShelf(_Vision, Shelf[Workload]): ...

class _Models(_Diffusion, _Language, _Recommendation, _Speech, _Statespace, _Tiny, _Vision, Catalog[Workload]):
    Diffusion: _DiffusionShelf
    Language: _LanguageShelf
    Recommendation: _RecommendationShelf
    Speech: _SpeechShelf
    Statespace: _StatespaceShelf
    Tiny: _TinyShelf
    Vision: _VisionShelf

Models: _Models
