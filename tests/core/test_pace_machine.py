"""The adaptation to pressure against what is promised of it."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from syncer.core.pace import SHARE_MIN, Pace
from syncer.engine.pacing import Pacing

LIMITS = (1, 4, 1000)


class Answers(RuleBasedStateMachine):
    """Batches that are sent and answered in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pacing = Pacing()
        #: The turns of those under way.
        self.under_way: list[int] = []

    @rule()
    def send(self) -> None:
        self.under_way.append(self.pacing.turn)

    @rule(data=st.data(), pressed=st.booleans())
    def answer(self, data: st.DataObject, pressed: bool) -> None:
        """Halve at the first word of pressure of a turn; grow in quiet; what was sent before says nothing new."""
        if not self.under_way:
            return
        turn = self.under_way.pop(data.draw(st.integers(0, len(self.under_way) - 1)))
        before, current = self.pacing.pace.share, self.pacing.turn
        self.pacing.answered(turn, pressed=pressed)
        after = self.pacing.pace.share
        if turn != current:
            assert after == before
        elif pressed:
            assert after == max(SHARE_MIN, before / 2)
            assert self.pacing.turn == current + 1
        else:
            assert after > before or before == after == 1.0

    @rule()
    def calm_down(self) -> None:
        """Whatever happened, a quiet while brings everything back."""
        for _ in range(100):
            self.pacing.answered(self.pacing.turn, pressed=False)
        assert self.pacing.pace == Pace()

    @invariant()
    def something_is_always_sent_and_never_too_much(self) -> None:
        assert all(1 <= self.pacing.pace.of(limit) <= limit for limit in LIMITS)


TestAnswers = Answers.TestCase
TestAnswers.settings = settings(max_examples=100, deadline=None, derandomize=True, print_blob=True, database=None)
