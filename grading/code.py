"""A question that is answered by a function: what it gives for hidden inputs is what is judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from grading.kinds import Mark, Number
from grading.sandbox import Outcome, available
from mlsysim.core.errors import InvalidEntry
from mlsysim.course.variants import Variant

NOT_RUN = "wrote code that was not run"


@dataclass(frozen=True)
class Function(Number):
    """A function of the learner's own, as good as the numbers that it gives for hidden inputs.

    Truth and misconceptions are functions of the variant that return a function of the same
    arguments; the check's `inputs` returns what all of them are called with, a row a call.
    """

    shown = 10_000

    def __post_init__(self) -> None:
        """Whoever asks for a function says what it is called with; raises InvalidEntry."""
        if self.check.inputs is None:
            raise InvalidEntry(self.name, "inputs", "say what the function is called with")

    def inputs(self, v: Variant) -> list[Mapping[str, float]]:
        """What the function is called with, one mapping of arguments a call."""
        assert self.check.inputs is not None
        names = self.asked.arguments
        return [dict(zip(names, map(float, row), strict=True)) for row in self.check.inputs(v)]

    def plain(self, value: Any) -> Any:
        """A function as it is."""
        return value

    def carried(self, value: Any) -> Any:
        """No later part works on from a function."""

    def judge(self, value: Any, v: Variant, earlier: Any = None) -> Mark:
        """Where no code can run the function is kept, and its points are not counted."""
        if sandbox := available():
            return self.judge_outcomes(sandbox.run(value, self.asked.function, self.inputs(v)), v)
        message = "Your code is kept; it is not run here, but graded offline."
        return replace(self.mark("kept", NOT_RUN, message), out_of=0.0)

    def judge_outcomes(self, ran: Sequence[Outcome], v: Variant) -> Mark:
        """The mark of what every call came to, in the order of the inputs."""
        inputs = self.inputs(v)
        truth = self._given(self.check.truth(v), inputs)
        right = [
            each.value is not None and self.close(each.value, wanted)
            for each, wanted in zip(ran, truth, strict=True)
        ]
        if all(right):
            return self.mark("right", message=f"Right. {self.hint}".strip())
        for name, slip in self.check.misconceptions.items():
            wrong = slip(v)
            given = self._given(wrong, inputs) if wrong else truth
            if given != truth and self._same(ran, given):
                return self.misconceived(name, " ".join((slip.__doc__ or "").split()))
        fault = next((f"Your function {each.fault}. " for each in ran if each.fault), "")
        if not any(right):
            return self.mark("wrong", message=f"{fault or 'Not so. '}{self.hint}")
        share = f"{sum(right)} of {len(right)}"
        message = f"It is right for {share} hidden inputs. {fault}{self.hint}"
        mark = self.mark("partly", f"was right for {share}", message)
        return replace(mark, points=round(self.points * sum(right) / len(right), 3))

    def _same(self, ran: Sequence[Outcome], wanted: Sequence[float]) -> bool:
        """Whether every call gave a number, and the wanted one."""
        pairs = zip(ran, wanted, strict=True)
        return all(e.value is not None and self.close(e.value, number) for e, number in pairs)

    @staticmethod
    def _given(function: Callable[..., Any], inputs: list[Mapping[str, float]]) -> list[float]:
        return [float(function(**each)) for each in inputs]
