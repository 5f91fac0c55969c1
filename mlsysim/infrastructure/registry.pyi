# Derived from the names of the YAML files by `python -m grading derive`.
from typing import Any

from mlsysim.core.registry import Catalog, Shelf
from mlsysim.infrastructure.types import Facility as Facility
from mlsysim.infrastructure.types import Grid as Grid
from mlsysim.infrastructure.types import Price as Price

class _Facilities:
    AWS: Facility
    Hyperscale: Facility
    Legacy: Facility
    LiquidCooled: Facility
    Meta: Facility
    Microsoft: Facility
    Typical: Facility

class _FacilitiesShelf(_Facilities, Shelf[Facility]): ...

class _Grids:
    California: Grid
    China: Grid
    Coal: Grid
    France: Grid
    Gas: Grid
    Germany: Grid
    Hydro: Grid
    Iceland: Grid
    India: Grid
    Iowa: Grid
    Ireland: Grid
    Norway: Grid
    Nuclear: Grid
    Oregon: Grid
    Poland: Grid
    Quebec: Grid
    Singapore: Grid
    Solar: Grid
    Sweden: Grid
    Texas: Grid
    UK: Grid
    US_Average: Grid
    Virginia: Grid
    Wind: Grid

class _GridsShelf(_Grids, Shelf[Grid]): ...

class _Prices:
    A100_cloud: Price
    A10G_cloud: Price
    B200_cloud: Price
    EU_ETS: Price
    GB200_cloud: Price
    H100_cloud: Price
    H100_hyperscaler: Price
    H200_cloud: Price
    L40S_cloud: Price
    L4_cloud: Price
    MI300X_cloud: Price
    T4_cloud: Price
    TPU_v5e_cloud: Price
    TPU_v5p_cloud: Price
    TPU_v6e_cloud: Price
    Trainium2_cloud: Price

class _PricesShelf(_Prices, Shelf[Price]): ...

class _Infrastructure(_Facilities, _Grids, _Prices, Catalog[Any]):
    Facilities: _FacilitiesShelf
    Grids: _GridsShelf
    Prices: _PricesShelf

Infrastructure: _Infrastructure
