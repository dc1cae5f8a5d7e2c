"""The protections of fan-outs."""

from __future__ import annotations

from tests.mutation.mutant import Edit, Mutant

POLL, FAN_OUTS, FAN_OUT = "syncer/engine/poll.py", "syncer/engine/fan_outs.py", "syncer/core/fan_out.py"
TESTS = ("tests/engine/test_fan_outs.py",)

FAN_OUT_MUTANTS = (
    Mutant(
        "what is left of a fan-out is kept with the checkpoint that passes its row",
        (Edit(POLL, "fanned_out=fanned_out, begun=progress.fan_outs)", "fanned_out=fanned_out)"),),
        TESTS,
    ),
    Mutant(
        "what was delivered before the row changed again is delivered again",
        (Edit(FAN_OUT, "return replace(self, through=None, again=self.after)", "return self"),),
        TESTS,
    ),
    Mutant(
        "a fan-out that begins again goes on where it is",
        (Edit(FAN_OUT, "through=None, again=self.after)", "after=None, through=None, again=None)"),),
        TESTS,
    ),
    Mutant(
        "a portion of which something is put off is not taken for delivered",
        (Edit(FAN_OUTS, "self._left if put_off.isdisjoint(self._portion) else {}", "self._left"),),
        TESTS,
    ),
    Mutant(
        "a poll delivers no more than a portion",
        (Edit(FAN_OUTS, "feed.documents(fan_out, self._rows)", "feed.documents(fan_out, 1_000_000)"),),
        TESTS,
    ),
    Mutant(
        "syncer run --once goes on until fan-outs have ended",
        (Edit("syncer/engine/polled.py", "self.deferred or self.fanning_out)", "self.deferred)"),),
        TESTS,
    ),
)
