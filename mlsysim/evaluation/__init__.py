"""Evaluation of a whole system: the verdict, the wall that binds, and what would help.

`spec` is the system as data and `sections` its parts, `metrics` what can be known of it, `measure`
what it does (`answering` where it answers requests), `verdict` what to think of that, `plan` THE
search for the cheapest system that will do, `desk` plans from one sentence (`offers` is what each
device can do, `planned` what comes of it), `comparing` puts systems side by side, `remedies` what
would help, `examples` are systems to begin with, and `scenarios` such that ask a question.
Steps take what the stack that usually runs there was measured to take, which a note names; the law
(the stack "ideal", operators one after the other) answers where nothing was measured, or where an
efficiency is told. Requests join a batch in flight, and a tenth of the memory is kept free.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mlsysim.evaluation.remedies import suggestions
from mlsysim.evaluation.spec import SystemSpec
from mlsysim.evaluation.verdict import Evaluation, judge


def evaluate(system: SystemSpec | str | Mapping[str, Any] | Path) -> Evaluation:
    """Evaluate a system: a SystemSpec, a scenario's name, a mapping, or the path of its YAML file.

    Raises an InvalidEntry for a malformed system, and a MissingValue where a constraint asks about
    what nobody has published or the system does not say.

    >>> found = evaluate(
    ...     {"workload": {"model": "Llama3_70B", "prompt": 512}, "fleet": {"hardware": "H100"}}
    ... )
    >>> found.verdict, found.bottleneck, found.suggestions[0]["change"]
    ('infeasible', 'Memory', {'workload.precision': 'int8'})
    """
    spec = SystemSpec.read(system)
    found = judge(spec)
    return found.advised(suggestions(spec, found))


__all__ = ["Evaluation", "SystemSpec", "evaluate", "judge"]
