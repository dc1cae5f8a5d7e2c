"""Which rows are put off again and again through a fault of their own."""

from __future__ import annotations

from syncer.core.key import Key
from syncer.core.outcome import Applied, Deferred, Outcome, Stale

#: So often a row may fail while others succeed.
_ATTEMPTS_BESIDE_OTHERS = 5
#: Where more rows than this fail at once, it is a part of the index that does.
_SUSPECTS_MAX = 10
#: And so often where there is nothing to compare it with: minutes, with the waits between.
_ATTEMPTS_ALONE = 12


class Suspicion:
    """Tells a row that makes the server fail from a server that fails.

    An internal error may be either one's. A row that still meets it after some attempts is rejected, so that it is not
    put off for ever, but only when it is one of few and other rows went through meanwhile, or when it is the only one
    that fails: an outage, be it of a single shard, must not reject a table.
    """

    def __init__(self) -> None:
        self._good = 0
        #: By key: its attempts, and how many others had gone through before the first.
        self._suspects: dict[Key, tuple[int, int]] = {}

    def judge(self, key: Key, outcome: Outcome) -> Outcome:
        """Return the outcome, or a rejection in place of one more delay. Bounded by the keys that are put off."""
        if isinstance(outcome, Applied | Stale):
            self._good += 1
        if not (isinstance(outcome, Deferred) and outcome.suspect):
            self._suspects.pop(key, None)
            return outcome
        attempts, good_before = self._suspects.get(key, (0, self._good))
        attempts += 1
        few = len(self._suspects.keys() | {key}) <= _SUSPECTS_MAX
        beside_others = few and attempts >= _ATTEMPTS_BESIDE_OTHERS and self._good > good_before
        alone = attempts >= _ATTEMPTS_ALONE and self._suspects.keys() <= {key}
        if beside_others or alone:
            self._suspects.pop(key, None)
            return outcome.given_up()
        self._suspects[key] = (attempts, good_before)
        return outcome
