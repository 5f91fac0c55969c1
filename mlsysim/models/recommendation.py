"""Recommendation: huge tables, of which a query touches a few rows, and small networks."""

from __future__ import annotations

from functools import cached_property
from itertools import pairwise
from typing import Literal

from mlsysim.core import units as u
from mlsysim.core.values import Many
from mlsysim.equations import algorithm as eq
from mlsysim.models.operators import Operator, Step
from mlsysim.models.parts import Part, dense, operators
from mlsysim.models.types import Workload


class RecommendationWorkload(Workload):
    """A DLRM: `lookups` rows of each table are summed, meet the dense features, and are scored.

    `interaction` is "dot" (every pair of vectors) or "cross" (`cross_layers` layers of low rank
    `cross_rank`). Look-ups fall on the rows of a table at random, so that a large batch finds some
    of them twice; real queries favour popular rows and touch fewer still.
    """

    kind: Literal["recommendation"] = "recommendation"
    sparse = True
    dense_features: u.Count
    bottom: Many[u.Count]
    top: Many[u.Count]
    embedding_dim: u.Count
    tables: Many[u.Count]
    lookups: Many[u.Count]
    interaction: Literal["dot", "cross"] = "dot"
    cross_layers: u.CountOrZero = 0
    cross_rank: u.Count | None = None

    def check(self) -> None:
        """Every table has its lookups, and the dense features end as one more embedding."""
        super().check()
        for name in ("bottom", "top", "tables"):
            if not getattr(self, name):
                raise self.wrong(name, "give at least one")
        if len(self.lookups) != len(self.tables):
            count = len(self.tables)
            raise self.wrong("lookups", f"give one number for each of the {count} tables")
        if self.bottom[-1] != self.embedding_dim:
            remedy = f"its last layer meets the embeddings; make it {self.embedding_dim} wide"
            raise self.wrong("bottom", remedy)
        if self.interaction == "cross" and not (self.cross_layers and self.cross_rank):
            remedy = "a cross interaction needs cross_layers and cross_rank"
            raise self.wrong("cross_layers", remedy)

    @property
    def vectors(self) -> int:
        """Embeddings of one query: one for each table, and that of the dense features."""
        return len(self.tables) + 1

    @cached_property
    def network(self) -> list[Part]:
        """Everything of one query that is not a look-up."""
        wide = float(self.vectors * self.embedding_dim)
        bottom = [self.dense_features, *self.bottom]
        if self.interaction == "dot":
            pairs = self.vectors * (self.vectors - 1) / 2
            macs = pairs * self.embedding_dim
            meeting = [Part("interaction", "gemm", macs, 0.0, wide, pairs)]
            seen = pairs + self.embedding_dim
        else:
            rank = float(self.cross_rank or 0)
            down = dense("cross down", 1.0, wide, rank, bias=False)
            meeting = self.cross_layers * [down, dense("cross up", 1.0, rank, wide)]
            seen = wide
        return [
            *(dense("bottom", 1.0, inner, columns) for inner, columns in pairwise(bottom)),
            *meeting,
            *(dense("top", 1.0, inner, columns) for inner, columns in pairwise([seen, *self.top])),
        ]

    def operators(self, step: Step) -> list[Operator]:
        """The look-ups in each table, and the network."""
        tables = zip(self.tables, self.lookups, strict=True)
        return [*(self._lookup(*table, step) for table in tables), *operators(self.network, step)]

    def _lookup(self, rows: float, sought: float, step: Step) -> Operator:
        touched = eq.distinct_experts(rows, 1.0, sought * step.batch) * self.embedding_dim
        summed = step.batch * self.embedding_dim
        return Operator(
            "embedding",
            "gather",
            1,
            0.0 * step.batch,
            eq.stored(touched, step.widths.tables),
            0.0,
            0.0,
            eq.stored(summed, step.widths.activations),
            eq.stored(float(rows) * self.embedding_dim, step.widths.tables),
        )

    def counted_macs(self) -> float:
        """Multiply-accumulates of one query."""
        return sum(part.macs for part in self.network)
