# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.literature.types import Finding as Finding

class _Carbon:
    A100_share_of_server_embodied: Finding
    ACT_dram: Finding
    ACT_energy_7nm: Finding
    ACT_gas_7nm: Finding
    ACT_ssd: Finding
    H100_embodied: Finding
    HGX_H100_embodied: Finding

class _CarbonShelf(_Carbon, Shelf[Finding]): ...

class _Checkpoint:
    BLOOM_checkpoint_size: Finding
    BLOOM_checkpoint_time: Finding
    Bytes_per_parameter_checkpoint: Finding
    Bytes_per_parameter_training: Finding
    NVMe_write: Finding
    Tectonic_peak: Finding
    Tectonic_sustained: Finding

class _CheckpointShelf(_Checkpoint, Shelf[Finding]): ...

class _Compression:
    GPTQ_int3_LLaMA_7B: Finding
    GPTQ_int4_LLaMA_65B: Finding
    GPTQ_int4_LLaMA_7B: Finding
    LLM_int8: Finding
    SmoothQuant_w8a8_Llama2_7B: Finding
    SmoothQuant_w8a8_Llama3_8B: Finding
    SparseGPT_2_4_Llama2_7B: Finding
    SparseGPT_50_Llama2_70B: Finding
    SparseGPT_50_Llama2_7B: Finding

class _CompressionShelf(_Compression, Shelf[Finding]): ...

class _Cost:
    Accelerators_share: Finding
    Building_share: Finding
    Network_share: Finding
    Plant_share: Finding
    Staff_share: Finding

class _CostShelf(_Cost, Shelf[Finding]): ...

class _Data:
    FFCV_jpeg_images_per_second: Finding
    FFCV_jpeg_images_per_second_per_vcpu: Finding
    FFCV_raw_images_per_second: Finding
    ResNet50_A100_demand: Finding

class _DataShelf(_Data, Shelf[Finding]): ...

class _Efficiency:
    DeepSeek_V3: Finding
    GPT3_175B_V100: Finding
    GptFast_decode_Llama2_7B: Finding
    GptFast_decode_Llama2_7B_int4: Finding
    GptFast_decode_Llama3_8B: Finding
    Llama3_405B: Finding
    Llama3_405B_128K_context: Finding
    Llama3_405B_8K: Finding
    MPT_30B_H100_512: Finding
    MPT_70B_A100_64: Finding
    MPT_70B_H100_512: Finding
    MPT_7B_A100_8: Finding
    MPT_7B_H100_512: Finding
    MPT_7B_H100_8: Finding
    MaxText_16B_v5e: Finding
    MaxText_512B_v5p: Finding
    MegaScale_175B: Finding
    Megatron_175B_A100: Finding
    Megatron_175B_H100_4608: Finding
    Megatron_1T_A100: Finding
    Megatron_462B_H100: Finding
    PaLM_540B: Finding
    ResNet50_A100: Finding
    ResNet50_V100: Finding

class _EfficiencyShelf(_Efficiency, Shelf[Finding]): ...

class _Power:
    H100_node_peak: Finding
    H100_node_training: Finding
    Host_power_ratio: Finding

class _PowerShelf(_Power, Shelf[Finding]): ...

class _Privacy:
    DPSGD_JAX: Finding
    DPSGD_Opacus_high: Finding
    DPSGD_Opacus_low: Finding

class _PrivacyShelf(_Privacy, Shelf[Finding]): ...

class _Reliability:
    Cable_mtbf: Finding
    GPU_mtbf: Finding
    Llama3_cluster_mtbf: Finding
    Llama3_effective_time: Finding
    Llama3_faulty_gpu: Finding
    Llama3_gpu_hours_per_interruption: Finding
    Llama3_gpu_processor: Finding
    Llama3_gpu_sram: Finding
    Llama3_hbm3: Finding
    Llama3_host_maintenance: Finding
    Llama3_interruptions: Finding
    Llama3_network: Finding
    Llama3_nic: Finding
    Llama3_power_supply: Finding
    Llama3_silent_corruption: Finding
    Llama3_software: Finding
    Llama3_ssd: Finding
    NIC_mtbf: Finding
    OPT_175B_host_failures: Finding
    Other_mtbf: Finding
    PSU_mtbf: Finding
    Pessimistic_Cable_mtbf: Finding
    Pessimistic_GPU_mtbf: Finding
    Pessimistic_NIC_mtbf: Finding
    Pessimistic_PSU_mtbf: Finding

class _ReliabilityShelf(_Reliability, Shelf[Finding]): ...

class _Scaling:
    Chinchilla_tokens_per_parameter: Finding
    Inference_FLOP_per_parameter_token: Finding
    Training_FLOP_per_parameter_token: Finding

class _ScalingShelf(_Scaling, Shelf[Finding]): ...

class _Serving:
    CS3_Llama3_1_8B: Finding

class _ServingShelf(_Serving, Shelf[Finding]): ...

class _Tiny:
    AD_L4R5ZI_energy: Finding
    AD_L4R5ZI_latency: Finding
    IC_L4R5ZI_energy: Finding
    IC_L4R5ZI_latency: Finding
    KWS_H7A3ZI_XCubeAI_latency: Finding
    KWS_L4R5ZI_Plumerai_latency: Finding
    KWS_L4R5ZI_XCubeAI_latency: Finding
    KWS_L4R5ZI_energy: Finding
    KWS_L4R5ZI_latency: Finding
    KWS_L4R5ZI_microTVM_latency: Finding
    VWW_H7A3ZI_XCubeAI_latency: Finding
    VWW_L4R5ZI_XCubeAI_latency: Finding
    VWW_L4R5ZI_energy: Finding
    VWW_L4R5ZI_latency: Finding
    nRF52840_radio_power: Finding

class _TinyShelf(_Tiny, Shelf[Finding]): ...

class _Training:
    Attained_A100: Finding
    Attained_H100: Finding
    Attained_MI300X: Finding
    Attained_TPU_v4: Finding
    Attained_TPU_v5e: Finding
    Attained_TPU_v5p: Finding
    Overlap: Finding

class _TrainingShelf(_Training, Shelf[Finding]): ...

class _Literature(_Carbon, _Checkpoint, _Compression, _Cost, _Data, _Efficiency, _Power, _Privacy, _Reliability, _Scaling, _Serving, _Tiny, _Training, Catalog[Finding]):
    Carbon: _CarbonShelf
    Checkpoint: _CheckpointShelf
    Compression: _CompressionShelf
    Cost: _CostShelf
    Data: _DataShelf
    Efficiency: _EfficiencyShelf
    Power: _PowerShelf
    Privacy: _PrivacyShelf
    Reliability: _ReliabilityShelf
    Scaling: _ScalingShelf
    Serving: _ServingShelf
    Tiny: _TinyShelf
    Training: _TrainingShelf

Literature: _Literature
