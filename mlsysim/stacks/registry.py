"""Every software stack, one YAML file each."""

from __future__ import annotations

from functools import cache

from mlsysim.core.registry import Catalog
from mlsysim.stacks.types import Stack

Stacks: Catalog[Stack] = Catalog(Stack)


@cache
def usual(use: str, kind: str, vendor: str | None) -> Stack | None:
    """What usually runs models of that kind for that use; None where nothing was measured of it.

    >>> usual("serve", "transformer", "NVIDIA").stem, usual("serve", "transformer", "Cerebras")
    ('trtllm', None)
    """
    for _, stack in Stacks.entries():
        fits = stack.usual
        if fits and use in fits.uses and kind in fits.models and vendor in fits.vendors:
            return stack
    return None
