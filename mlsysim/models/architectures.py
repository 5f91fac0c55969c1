"""The architectures that a Hugging Face configuration may name, and who reads each."""

from __future__ import annotations

from mlsysim.models import attentive, hybrid
from mlsysim.models.configuration import Reader, llama

# What `model_type` says, and how its configuration is read.
ARCHITECTURES: dict[str, Reader] = {
    "bert": attentive.bert,
    "deepseek_v3": attentive.deepseek,
    "deepseek_v32": attentive.sparse_deepseek,
    "deepseek_v4": attentive.deepseek_v4,
    "gemma": attentive.gemma,
    "gemma2": attentive.gemma2,
    "gemma3": attentive.gemma3,
    "gemma3_text": attentive.gemma3,
    "glm4_moe": attentive.glm4_moe,
    "glm_moe_dsa": attentive.sparse_deepseek,
    "gpt2": attentive.gpt2,
    "gpt_oss": attentive.gpt_oss,
    "kimi_k2": attentive.deepseek,
    "kimi_k25": attentive.deepseek,
    "llama": llama,
    "llama4": attentive.llama4,
    "llama4_text": attentive.llama4,
    "mamba2": hybrid.mamba2,
    "minimax": hybrid.minimax,
    "minimax_m2": hybrid.minimax_m2,
    "mistral": attentive.mistral,
    "mistral3": attentive.mistral,
    "mixtral": attentive.mixtral,
    "nemotron_h": hybrid.nemotron_h,
    "phi3": attentive.mistral,
    "qwen2": attentive.qwen2,
    "qwen3": attentive.qwen3,
    "qwen3_5": hybrid.qwen3_next,
    "qwen3_5_moe": hybrid.qwen3_next,
    "qwen3_5_moe_text": hybrid.qwen3_next,
    "qwen3_5_text": hybrid.qwen3_next,
    "qwen3_moe": attentive.qwen3_moe,
    "qwen3_next": hybrid.qwen3_next,
    "qwen3_vl": attentive.qwen3,
    "qwen3_vl_moe": attentive.qwen3_moe,
}

# What is known, and cannot be said with these operators.
REFUSED = {
    "gemma4": "its layers have heads of two widths, and here all have one",
    "minimax_m3": "its attention picks blocks of a cache by scores, which no layer here does",
}
