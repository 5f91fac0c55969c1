# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.hardware.types import HardwareNode as HardwareNode

class _Cloud:
    A10: HardwareNode
    A100: HardwareNode
    A100_40GB: HardwareNode
    A100_PCIe: HardwareNode
    A10G: HardwareNode
    B200: HardwareNode
    B300: HardwareNode
    CS2: HardwareNode
    CS3: HardwareNode
    EPYC_9654: HardwareNode
    GB200: HardwareNode
    GB300: HardwareNode
    GH200: HardwareNode
    Gaudi2: HardwareNode
    Gaudi3: HardwareNode
    H100: HardwareNode
    H100_NVL: HardwareNode
    H100_PCIe: HardwareNode
    H20: HardwareNode
    H200: HardwareNode
    H800: HardwareNode
    Inferentia2: HardwareNode
    L20: HardwareNode
    L4: HardwareNode
    L40S: HardwareNode
    MI250X: HardwareNode
    MI300X: HardwareNode
    MI325X: HardwareNode
    MI350X: HardwareNode
    MI355X: HardwareNode
    T4: HardwareNode
    TPU_v4: HardwareNode
    TPU_v5e: HardwareNode
    TPU_v5p: HardwareNode
    TPU_v6e: HardwareNode
    TPU_v7: HardwareNode
    Trainium2: HardwareNode
    Trainium3: HardwareNode
    V100: HardwareNode

class _CloudShelf(_Cloud, Shelf[HardwareNode]): ...

class _Edge:
    Coral_EdgeTPU: HardwareNode
    Jetson_AGX_Orin: HardwareNode
    Jetson_AGX_Thor: HardwareNode
    Jetson_Orin_NX: HardwareNode
    Jetson_Orin_Nano: HardwareNode
    Jetson_Orin_Nano_Super: HardwareNode
    RaspberryPi_5: HardwareNode
    Snapdragon_8_Gen_3: HardwareNode

class _EdgeShelf(_Edge, Shelf[HardwareNode]): ...

class _Tiny:
    ESP32_S3: HardwareNode
    PSoC_62: HardwareNode
    STM32F746: HardwareNode
    STM32H7A3: HardwareNode
    STM32L4R5ZI: HardwareNode
    STM32U575: HardwareNode
    STM32U585: HardwareNode
    nRF52840: HardwareNode
    nRF5340: HardwareNode

class _TinyShelf(_Tiny, Shelf[HardwareNode]): ...

class _Workstation:
    Core_i9_10940X: HardwareNode
    DGX_Spark: HardwareNode
    M1_7core: HardwareNode
    M1_Max: HardwareNode
    M2_Ultra: HardwareNode
    M3_Ultra: HardwareNode
    M4_Max: HardwareNode
    M5: HardwareNode
    RTX_3070: HardwareNode
    RTX_3080_Ti: HardwareNode
    RTX_3090: HardwareNode
    RTX_3090_Ti: HardwareNode
    RTX_4000_Ada: HardwareNode
    RTX_4070_Ti: HardwareNode
    RTX_4090: HardwareNode
    RTX_5090: HardwareNode
    RTX_A6000: HardwareNode
    RTX_PRO_6000: HardwareNode

class _WorkstationShelf(_Workstation, Shelf[HardwareNode]): ...

class _Hardware(_Cloud, _Edge, _Tiny, _Workstation, Catalog[HardwareNode]):
    Cloud: _CloudShelf
    Edge: _EdgeShelf
    Tiny: _TinyShelf
    Workstation: _WorkstationShelf

Hardware: _Hardware
