"""What a learner's page does while the class waits, and when it goes on."""

from __future__ import annotations

import asyncio
from collections import Counter

from benchmarks.class_load import FIRST, Learner

STEM, QUESTION = FIRST


class Watched(Learner):
    """A learner whose page tells which of its cells ran."""

    ran: list[str]

    async def _shown(self, cell):
        if cell.get("status") == "running":
            self.ran.append(cell["cell_id"])
        await super()._shown(cell)


def test_cells_below_a_question_run_again_for_its_release_and_not_for_a_commitment(served):
    async def play():
        learner = Watched(served.url, served.keys.code, "ada")
        learner.ran = []
        await learner.join()
        await learner.open(STEM)
        assert "00.2" not in learner.elements
        learner.ran.clear()
        await learner.commit(QUESTION, {"value": "30", "confidence": "certain"})
        served.room.act("again", QUESTION)
        await learner.commit(QUESTION, {"value": "40", "confidence": "certain"})
        served.room.act("reveal", QUESTION)
        await learner.marked(QUESTION)
        await learner.until(lambda: "00.2" in learner.elements)
        await learner.until(lambda: len(learner.ran) >= 5)  # four questions more, and the end
        await learner.close()
        return learner

    learner = asyncio.run(play())
    assert set(Counter(learner.ran).values()) == {1}
    assert learner.faults == []
    assert served.room.count(QUESTION) == served.room.count(QUESTION, again=True) == 1
