"""The protections of fan-outs."""

from __future__ import annotations

from tests.mutation.mutant import Edit, Mutant

POLL, FAN_OUTS, FAN_OUT = "syncer/engine/poll.py", "syncer/engine/fan_outs.py", "syncer/core/fan_out.py"
TESTS = ("tests/engine/test_fan_outs.py",)

FAN_OUT_MUTANTS = (
    Mutant(
        "what is left of a fan-out is kept with the checkpoint that passes its row",
        (Edit(POLL, "fanned_out=fanned_out, begun=begun)", "fanned_out=fanned_out)"),),
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
        (Edit(FAN_OUTS, "for key in self._portion if key in put_off]", "for key in self._portion if False]"),),
        TESTS,
    ),
    Mutant(
        "what was put off is forgotten where the row changes again",
        (Edit(FAN_OUTS, "            self._portion, self._left = (), {}\n", "            pass\n"),),
        TESTS,
    ),
    Mutant(
        "a poll delivers no more than a portion",
        (Edit(FAN_OUTS, "feed.documents(fan_out, self._rows)", "feed.documents(fan_out, 1_000_000)"),),
        TESTS,
    ),
    Mutant(
        "syncer run --once goes on until fan-outs have ended",
        (Edit("syncer/engine/polled.py", "self.fanned_out and not", "not"),),
        TESTS,
    ),
)
