"""Every software stack, one YAML file each."""

from __future__ import annotations

from functools import cache

from mlsysim.core.registry import Catalog
from mlsysim.stacks.types import Stack

Stacks: Catalog[Stack] = Catalog(Stack)


@cache
def usual(use: str, kind: str, vendor: str | None, family: str | None = None) -> Stack | None:
    """What usually runs models of that kind for that use; None where nothing was measured of it.

    Of two, what was measured on the family of the device.

    >>> usual("serve", "transformer", "NVIDIA").stem, usual("serve", "transformer", "Cerebras")
    ('trtllm', None)
    >>> [usual("forward", "convnet", "NVIDIA", of).stem for of in ("Ampere", "Hopper")]
    ['cudnn', 'torchvision']
    """
    found = None
    for _, stack in Stacks.entries():
        fits = stack.usual
        if not (fits and use in fits.uses and kind in fits.models and vendor in fits.vendors):
            continue
        if family in fits.families:
            return stack
        found = found or (None if fits.families else stack)
    return found
