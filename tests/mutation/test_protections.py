"""Each protection of the protocol, switched off in a copy of syncer: the tests must notice."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutation.fan_out_mutants import FAN_OUT_MUTANTS
from tests.mutation.mutant import Edit, Mutant, apply, copy_to, replay
from tests.mutation.swap_mutants import SWAP_MUTANTS

POLL, DELIVER, HORIZON = "syncer/engine/poll.py", "syncer/engine/deliver.py", "syncer/core/horizon.py"
WRITE = "syncer/engine/write.py"
BACKFILL, RESYNC, WINDOW = "syncer/engine/backfill.py", "syncer/engine/resync.py", "syncer/core/window.py"
INTERLEAVINGS = ("tests/engine/test_interleavings.py",)

#: Tried where the seeds that are known to show a mutant no longer do, since every change of syncer changes them.
MORE_SEEDS = tuple(map(str, range(60)))
MUTANTS = (
    Mutant(
        "the checkpoint waits for the horizon, and is not the greatest watermark",
        (
            Edit(
                POLL,
                "            yield from page.changes\n",
                "            for change in page.changes:\n"
                "                self.__dict__.setdefault('greatest', {})[feed.name] = Position(change.watermark)\n"
                "                yield change\n",
            ),
            Edit(
                POLL,
                "        position = scan.checkpoint(progress.reached.get(feed))\n",
                "        position = self.__dict__.setdefault('greatest', {}).get(feed, scan.start)\n",
            ),
        ),
        ("5", "6"),
    ),
    Mutant(
        "the checkpoint stays below what is open",
        (
            Edit(
                HORIZON,
                "        for low in self.low.values():\n            position = position.not_above(low)\n",
                "",
            ),
        ),
        ("0", "5"),
    ),
    Mutant(
        "a transaction that ended is read for once more",
        (Edit(HORIZON, "                start = start.not_above(low)\n", "                pass\n"),),
        ("0", "3"),
    ),
    Mutant(
        "the low of a transaction is kept while it is open",
        (Edit(HORIZON, "            if name in known\n", "            if False\n"),),
        ("1", "3"),
    ),
    Mutant(
        "a poll that failed leaves no trace",
        (
            Edit(
                POLL,
                "        self._committed = {name: horizon.reached for",
                "        self._horizons = clocks.__dict__.setdefault('kept', self._horizons)\n"
                "        self._committed = {name: horizon.reached for",
            ),
            Edit(
                POLL,
                "        progress = _Progress()\n",
                "        self._horizons |= {name: scan.settled() for name, scan in scans.items()}\n"
                "        progress = _Progress()\n",
            ),
            Edit(
                POLL, "        self._horizons = {name: scan.settled(", "        self._horizons |= {name: scan.settled("
            ),
        ),
        ("1", "6"),
    ),
    Mutant(
        "stamps may lie a margin behind the clock",
        (Edit(POLL, "                local.clock - self._limits.margin,\n", "                local.clock,\n"),),
        ("0", "3"),
    ),
    Mutant(
        "the checkpoint passes no key that is put off",
        (
            Edit(
                POLL,
                "            if name == feed:\n                position",
                "            if False:\n                position",
            ),
        ),
        ("26", "45"),
    ),
    Mutant(
        "the window knows versions of rows, not only watermarks",
        (
            Edit(WINDOW, "== (change.watermark, change.row_version)", "[:1] == (change.watermark,)"),
            Edit(
                WINDOW,
                "self._of(change).get((feed, change.row, change.key))",
                "self._of(change).get((feed, change.row, change.key), ())",
            ),
        ),
        ("127", "33"),
    ),
    Mutant(
        "a clock that steps back is noticed by its slip",
        (
            Edit(
                "syncer/engine/source_clocks.py",
                "return max(timedelta(), timedelta(seconds=monotonic - monotonic_before) - (clock - clock_before))",
                "return timedelta()",
            ),
        ),
        ("tests/engine/test_poll.py",),
    ),
    Mutant(
        "a glance looks back as far as a read",
        (Edit(POLL, "Stretch(scan.start.watermark, scan.until)", "Stretch(scan.t, scan.until)"),),
        ("tests/engine/test_poll.py",),
    ),
    Mutant(
        "versions come from a sequence, and not from updated_at",
        (
            Edit(
                "syncer/adapters/memory/source.py",
                "                _draft(key, documents[key], self._table.document_routing(documents[key]))\n",
                "                __import__('dataclasses').replace("
                "_draft(key, documents[key], self._table.document_routing(documents[key])),"
                " hash=int(self._table.row(key).watermark.timestamp() * 1e6))\n",
            ),
            Edit(
                WRITE,
                "Document(draft, vectors.of.get(draft.key, {}), version) for",
                "Document(draft, vectors.of.get(draft.key, {}), draft.hash) for",
            ),
        ),
        ("4", "5"),
    ),
    Mutant(
        "a backfill draws before it hydrates",
        (Edit(BACKFILL, "draw=Draw.BEFORE_HYDRATION", "draw=Draw.AFTER_HYDRATION"),),
        INTERLEAVINGS,
    ),
    Mutant(
        "a resync draws before it hydrates",
        (Edit(RESYNC, "draw=Draw.BEFORE_HYDRATION", "draw=Draw.AFTER_HYDRATION"),),
        INTERLEAVINGS,
    ),
    Mutant(
        "one key is not in two bulks under way",
        (Edit(DELIVER, "    return any(not flight.keys.isdisjoint(keys) for flight in flights)", "    return False"),),
        INTERLEAVINGS,
    ),
    Mutant(
        "what is sent again is hydrated and numbered again",
        (
            Edit(
                WRITE,
                "                outcomes = self._sink.write(writes)\n",
                "                kept = self.__dict__.setdefault('kept', {})\n"
                "                writes = [kept.pop(write.key, write) for write in writes]\n"
                "                outcomes = self._sink.write(writes)\n"
                "                kept |= {w.key: w for w, o in zip(writes, outcomes) if isinstance(o, Deferred)}\n",
            ),
        ),
        INTERLEAVINGS,
    ),
    Mutant(
        "what a backfill has created is looked at again",
        (Edit(BACKFILL, "recheck_created=not first_load", "recheck_created=False"),),
        INTERLEAVINGS,
    ),
    Mutant(
        "what a resync has created is looked at again",
        (Edit(RESYNC, "recheck_created=True", "recheck_created=False"),),
        INTERLEAVINGS,
    ),
    Mutant(
        "a backfill that resumes looks again at what was under way",
        (
            Edit(
                BACKFILL,
                "        in_flight = () if self._first_load else tuple(",
                "        in_flight = () if True else tuple(",
            ),
        ),
        INTERLEAVINGS,
    ),
    Mutant(
        "a document is removed wherever else it may have been",
        (
            Edit(
                WRITE,
                "    if not numbered.routings and shards is None:\n        return writes\n",
                "    return writes\n",
            ),
        ),
        ("4", "5"),
    ),
    Mutant(
        "a document that related rows route is removed from every other shard",
        (
            Edit(
                "syncer/engine/pipeline.py",
                "        shards = self.indices.shards(index) if self.routed_by_others and not first_load else None\n",
                "        shards = None\n",
            ),
        ),
        ("3", "17"),
    ),
    Mutant(
        "a conflict with a number that nobody can have drawn is not believed",
        (Edit(DELIVER, "version >= drawn]", "False]"),),
        ("tests/engine/test_deliver.py",),
    ),
    Mutant(
        "the sequence is raised above what is found in the index",
        (Edit(DELIVER, "            self._numbers.raise_above(max(met.values()))\n", "            pass\n"),),
        ("tests/engine/test_deliver.py",),
    ),
    Mutant(
        "a good write closes only the dead letters with a lower number",
        (
            Edit(
                "syncer/adapters/memory/database.py",
                "if key in self.dead_letters and self.dead_letters[key].version < version:",
                "if key in self.dead_letters:",
            ),
        ),
        INTERLEAVINGS,
    ),
    Mutant(
        "a checkpoint is fenced by the epoch",
        (
            Edit(
                "syncer/adapters/postgres/lease.py",
                "        if not self._settlements.lock(connection, self.index, self.epoch):\n",
                "        if not self._settlements.lock(connection, self.index):\n",
            ),
        ),
        ("tests/contract/test_state.py", "-k", "who_lost_the_lease_can_do_nothing and postgres"),
    ),
    Mutant(
        "the sequence is raised to the clock by who connects",
        (
            Edit(
                "syncer/adapters/postgres/version_sequence.py",
                "            if connection.execute(self._to_clock).first() is None:\n",
                "            if False:\n",
            ),
        ),
        ("tests/contract/test_postgres_state.py", "-k", "fail_over_to_an_older_state or raises_the_numbers_too"),
    ),
    Mutant(
        "a bulk requires its alias",
        (Edit("syncer/adapters/elastic/sink.py", "require_alias=True", "require_alias=False"),),
        ("tests/adapters/elastic/test_sink.py", "-k", "a_missing_index_is_not_created"),
    ),
    *SWAP_MUTANTS,
    *FAN_OUT_MUTANTS,
)


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> Path:
    copy_to(tmp_path)
    return tmp_path


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_it_is_noticed_when_it_is_switched_off(mutant: Mutant, folder: Path) -> None:
    """A suite that stays green without a protection does not test it."""
    for edit in mutant.edits:
        apply(edit, folder)
    done = replay((*mutant.shown_by, *MORE_SEEDS) if mutant.by_histories else mutant.shown_by, folder)
    assert done.returncode == 1, f"nobody noticed:\n{done.stdout}{done.stderr}"


def test_the_same_histories_and_servers_pass_where_nothing_is_switched_off(folder: Path) -> None:
    """The copy is not what fails, nor a server that does not start. (All other tests run by themselves anyway.)"""
    seeds = tuple({seed for mutant in MUTANTS if mutant.by_histories for seed in mutant.shown_by})
    tests = {mutant.shown_by for mutant in MUTANTS if not mutant.by_histories}
    for shown_by in [seeds, *(each for each in tests if not each[0].startswith("tests/engine"))]:
        done = replay(shown_by, folder)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}"
