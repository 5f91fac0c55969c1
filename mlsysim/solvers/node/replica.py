"""What answers requests: a model's passes over prompts, its decode steps, and what must fit.

One device, or one device's part of a model that several share. Every solver that serves asks it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from mlsysim.core.errors import BadArgument
from mlsysim.equations import algorithm
from mlsysim.equations import serving as eq
from mlsysim.models.operators import DECODE, PREFILL, Step
from mlsysim.models.types import Workload
from mlsysim.solvers.fleet.group import Group
from mlsysim.solvers.node import cost
from mlsysim.solvers.node.cost import Demand
from mlsysim.solvers.node.single import Profile, Question, ask

RESERVE = 0.1  # of a device's memory, which servers keep free: vLLM's gpu_memory_utilization is 0.9


class Draft(NamedTuple):
    """A small model that guesses `tokens` at a time; a verification yields `gain` of them."""

    question: Question
    tokens: Any
    gain: Any


class Replica(NamedTuple):
    """How requests are answered: `prefix` tokens are cached, prompts come in pieces of `chunk`.

    `talk` are the seconds in which the devices of a group exchange a pass over so many sequences
    and new tokens of each.
    """

    question: Question
    prefix: Any = 0.0
    chunk: Any = None
    draft: Draft | None = None
    talk: Callable[[Any, Any, str], Any] | None = None
    devices: int = 1

    def _seconds(self, batch: Any, new: Any, phase: str, profile: Profile) -> Any:
        talk = self.talk(batch, new, phase) if self.talk else 0.0
        return profile.si("latency") + talk

    # ---- passes over prompts -----------------------------------------------------------------

    def prompt(self, batch: Any, seq_len: Any) -> Profile:
        """One pass over all of the prompts that is not cached."""
        whole = self.question.step(batch, seq_len, PREFILL)
        if isinstance(self.prefix, float) and not self.prefix:
            return self.question.profile(whole)
        step = self.question.step(batch, seq_len, PREFILL, whole.seq_len - self.prefix)
        return self.question.profile(step)

    def prefill(self, batch: Any, seq_len: Any, whole: Profile | None = None) -> Any:
        """Seconds until `batch` prompts have been read, piece by piece where they are cut.

        A draft reads them too. `whole` is the pass over all of them, where it is known.
        """
        if self.chunk is None:
            new = seq_len - self.prefix
            seconds = self._seconds(
                batch, new, PREFILL, self.prompt(batch, seq_len) if whole is None else whole
            )
        else:
            seconds = self._pieces(batch, seq_len)
        if self.draft is None:
            return seconds
        return seconds + self.guess.prefill(batch, seq_len)

    def _pieces(self, batch: Any, seq_len: Any) -> Any:
        columns = any(isinstance(x, np.ndarray) for x in (batch, seq_len, self.prefix, self.chunk))
        new = np.expand_dims(np.asarray(seq_len - self.prefix, dtype=float), -1)
        chunk = np.expand_dims(np.asarray(self.chunk, dtype=float), -1)
        start = np.arange(np.ceil(np.max(new / chunk))) * chunk
        size = np.clip(new - start, 0.0, chunk)
        ends = np.expand_dims(self.prefix, -1) + start + size
        question, many = self.question, np.expand_dims(batch, -1)
        if isinstance(question.efficiency, np.ndarray):
            question = question._replace(efficiency=question.efficiency[..., None])
        each = np.maximum(size, 1.0)
        profile = question.profile(question.step(many, np.maximum(ends, each), PREFILL, each))
        seconds = self._seconds(many, each, PREFILL, profile)
        total = np.where(size > 0, seconds, 0.0).sum(-1)
        return total if columns or np.ndim(total) else float(total)

    # ---- decode steps ------------------------------------------------------------------------

    def decode(self, batch: Any, context: Any) -> Profile:
        """One step in which each sequence reaches `context` tokens, a draft's guesses besides."""
        guessed = self.draft.tokens if self.draft else 0.0
        step = self.question.step(batch, context + guessed, DECODE, 1.0 + guessed)
        return self.question.profile(step)

    def step(self, batch: Any, context: Any) -> Any:
        """Seconds of one decode step: with a draft, its guesses and then their verification."""
        guessed = self.draft.tokens if self.draft else 0.0
        seconds = self._seconds(batch, 1.0 + guessed, DECODE, self.decode(batch, context))
        if self.draft is None:
            return seconds
        return seconds + guessed * self.guess.step(batch, context)

    def beside(self, batch: Any, context: Any, prompt: float, each: Any) -> Any:
        """Seconds that a prompt adds to steps which decode a batch and take `each` tokens along.

        Matrices are read once for all tokens of a step; prompts attend by themselves.
        """
        q, fed = self.question, batch + each
        rates = cost.rates(q.supply, q.efficiency, None, q.stack)

        def part(step: Step, *, attention: bool) -> Any:
            return sum(cost.between(q.model, step, rates, attention=attention))

        together, apart = (
            part(q.step(many, context, DECODE), attention=False) for many in (fed, batch)
        )
        more = together - apart
        if self.talk:
            more = more + self.talk(fed, 1.0, DECODE) - self.talk(batch, 1.0, DECODE)
        whole = q.step(1.0, prompt, PREFILL, prompt - self.prefix)
        return more * whole.new / each + part(whole, attention=True)

    @property
    def guess(self) -> Replica:
        """The draft, whole on every device that runs it."""
        assert self.draft is not None
        return self._replace(question=self.draft.question, draft=None, talk=None)

    @property
    def gain(self) -> Any:
        """Tokens that a decode step yields each sequence."""
        return self.draft.gain if self.draft else 1.0

    def decoding(self, batch: Any, seq_len: Any, tokens: Any) -> Any:
        """Seconds in which `batch` sequences of `seq_len` tokens grow by `tokens` each.

        Every step sees a context that is longer by what the one before it yielded; all are summed.
        """
        seconds = 0.0 * tokens
        for first, last in self._even(seq_len + 1, seq_len + tokens):
            many = np.maximum(last - first + 1, 0.0) / self.gain
            if not np.any(many):
                continue
            seconds = seconds + self._series(batch, first, np.maximum(last, first), many)
        return seconds

    def _series(self, batch: Any, first: Any, last: Any, steps: Any) -> Any:
        ends = self.decode(batch, first), self.decode(batch, last)
        seconds = _grown(*ends, steps)
        if self.talk:
            guessed = self.draft.tokens if self.draft else 0.0
            seconds = seconds + steps * self.talk(batch, 1.0 + guessed, DECODE)
        if self.draft is None:
            return seconds
        return seconds + self.guess._series(batch, first, last, steps * self.draft.tokens)

    def _even(self, first: Any, last: Any) -> list[tuple[Any, Any]]:
        """Parts of the contexts from first to last over which a step grows evenly."""
        window = getattr(self.question.model, "near", None)
        if window is None:
            return [(first, last)]
        reach = float(window.tokens)
        chunks = np.arange(np.floor((np.min(first) - 1) / reach), np.ceil(np.max(last) / reach))
        ends = [(i + 1) * reach for i in chunks] if window.chunked else [reach, np.inf]
        parts, start = [], 1.0
        for end in ends:
            parts.append((np.maximum(first, start), np.minimum(last, end)))
            start = end + 1
        return parts

    # ---- what must fit -----------------------------------------------------------------------

    def held(self, batch: Any, total: Any) -> Demand:
        """What a device holds when `batch` sequences have `total` tokens each.

        Servers read long prompts piece by piece, so activations are those of a decode step. A
        draft's weights and cache are added to the model's.
        """
        own = self.question.demand(self.question.step(batch, total, DECODE))
        if self.draft is None:
            return own
        other = self.guess.held(batch, total)  # whole, where the model is divided
        return own._replace(
            held_weights=own.held_weights + other.held_weights,
            held_state=own.held_state + other.held_state,
            held_activations=np.maximum(own.held_activations, other.held_activations)[()],
        )

    def fit(self, held: Demand) -> Any:
        """Whether a device holds so much."""
        need = held.held_weights + held.held_state + held.held_activations
        return need <= self.question.supply.capacity

    def room(self, total: Any, reserve: Any) -> Any:
        """How many sequences of `total` tokens fit beside the weights and `reserve` bytes."""
        one = self.held(1.0, total)
        left = self.question.supply.capacity - reserve - one.held_weights
        return eq.slots(left, one.held_state + one.held_activations)


def replica_of(
    group: Group,
    how: tuple[str, Any, str | None, Any],
    prefix: Any = 0.0,
    chunk: Any = None,
    draft: tuple[Workload | None, Any, Any] = (None, 0.0, 0.0),
) -> Replica:
    """The replica that a group of devices is, asked in a precision, efficiency, cache and stack.

    A draft is a model, how many tokens it guesses, and the part of them that is accepted.
    """
    precision, efficiency, kv_precision, stack = how

    def question(model: Workload) -> Question:
        return ask(model, group.device, precision, efficiency, kv_precision, stack)

    small, guessed, accepted = draft
    second = None
    if small is not None and np.any(guessed):
        decoder(small, "draft_model")
        second = Draft(question(small), guessed, eq.speculative_gain(accepted, guessed))
    talk = group.talk(precision, kv_precision, stack)
    return Replica(question(group.model), prefix, chunk, second, talk, group.ways)


def decoder(model: Workload, argument: str = "model") -> None:
    """Raise BadArgument unless the model answers token by token."""
    if not {DECODE, PREFILL} <= set(model.phases):
        remedy = "it does not decode token by token; give a decoder, such as Llama3_8B"
        raise BadArgument(argument, model.name, remedy)


def _grown(first: Profile, last: Profile, steps: Any) -> Any:
    """Seconds of `steps` decode steps, while what each takes grows evenly from first to last."""
    if first.si("stack"):  # each operator keeps its roof, so the whole grows evenly
        return steps * (first.si("latency") + last.si("latency")) / 2
    return algorithm.decode_time(
        first_compute=first.si("compute_time"),
        last_compute=last.si("compute_time"),
        first_memory=first.si("memory_time"),
        last_memory=last.si("memory_time"),
        overhead=first.si("overhead"),
        steps=steps,
    )
