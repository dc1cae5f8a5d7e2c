"""The protections of building and swapping indices."""

from __future__ import annotations

from tests.mutation.mutant import Edit, Mutant

SWAP, SUCCESSION, REBUILD = "syncer/engine/swap.py", "syncer/engine/succession.py", "syncer/engine/rebuild.py"
ATTACH, PUBLISH, WORKER = "syncer/engine/attach.py", "syncer/engine/publish.py", "syncer/engine/worker.py"
#: Every act once, without a fault.
ACTS = ("tests/engine/test_rebuild_faults.py", "-k", "together_they_call")
SWAPS, CHANGES = ("tests/engine/test_swap.py",), ("tests/engine/test_change.py",)

SWAP_MUTANTS = (
    Mutant(
        "the state changes before the alias",
        (
            Edit(
                SWAP,
                "        lease.succeed(held, pipeline.clock.now())\n"
                "        finish_publishing(pipeline, lease, record, take_over=take_over)\n",
                "        pipeline.indices.publish(record.name, record.alias, take_over=take_over)\n"
                "        lease.succeed(held, pipeline.clock.now())\n"
                "        lease.update(phase=Phase.LIVE)\n",
            ),
        ),
        ACTS,
    ),
    Mutant(
        "nobody follows the old index while the new one is put in its place",
        (
            Edit(
                SWAP,
                "    with handed_over(pipeline, old.name) if old is not None else nullcontext() as held:\n"
                "        catch_up()\n",
                "    catch_up()\n"
                "    with handed_over(pipeline, old.name) if old is not None else nullcontext() as held:\n",
            ),
        ),
        ACTS,
    ),
    Mutant(
        "the new index catches up before searches find it",
        (Edit(SWAP, "as held:\n        catch_up()\n", "as held:\n"),),
        ACTS,
    ),
    Mutant(
        "a kept index ages no more before it is searched",
        (Edit(SWAP, "        pipeline.lifecycle.release(record)\n", "        pass\n"),),
        ACTS,
    ),
    Mutant(
        "an index is compared with its table before searches find it",
        (Edit(SUCCESSION, "        self._prove_equal(polls)\n", ""),),
        ("tests/engine/test_rebuild.py",),
    ),
    Mutant(
        "a kept index that nobody has followed is compared before it is rolled back to",
        (Edit(SUCCESSION, "if not (followed and self._is_complete())", "if not self._is_complete()"),),
        ("tests/engine/test_rebuild.py",),
    ),
    Mutant(
        "a kept index that lacks values is compared before it is rolled back to",
        (Edit(SUCCESSION, " or record.filling\n", "\n"),),
        CHANGES,
    ),
    Mutant(
        "an index has the settings for searches before searches find it",
        (Edit(PUBLISH, "    pipeline.indices.restore(index)\n", ""),),
        ACTS,
    ),
    Mutant(
        "who attaches to an index that was chosen points the alias to it",
        (Edit(ATTACH, "    if record.followed and record.phase is Phase.PUBLISHING:\n", "    if False:\n"),),
        ("tests/engine/test_rebuild_faults.py", "-k", "killed_for_good and promote"),
    ),
    Mutant(
        "an unfinished index is looked at again when its lease is held",
        (Edit(REBUILD, "        if now.role is not record.role or now.phase", "        if False and now.phase"),),
        SWAPS,
    ),
    Mutant(
        "a rollback that was interrupted is finished first",
        (
            Edit(
                REBUILD,
                "    return finished if undoes or not finished.complete else None\n",
                "    return finished if not finished.complete else None\n",
            ),
        ),
        SWAPS,
    ),
    Mutant(
        "a configuration that was replaced changes nothing by itself",
        (
            Edit(
                "syncer/core/course.py",
                "    if signature(fingerprint) in record.superseded:\n        return Course.REFUSE\n",
                "",
            ),
        ),
        CHANGES,
    ),
    Mutant(
        "a command of before writes nothing to an index that has grown",
        (Edit("syncer/engine/course.py", "    prove_fingerprint(pipeline, record)\n", ""),),
        CHANGES,
    ),
    Mutant(
        "the alias can be had before the roles change",
        (Edit(SWAP, "            pipeline.indices.prove_alias(record.alias, pipeline.name)\n", "            pass\n"),),
        SWAPS,
    ),
    Mutant(
        "a daemon looks again at which index is followed when it holds the lease",
        (Edit(WORKER, "            self._prove_role(lease)\n", ""),),
        SWAPS,
    ),
    Mutant(
        "a claim is heeded between two polls that are far apart",
        (Edit("syncer/engine/following.py", "            self._upkeep.heed()\n", "            pass\n"),),
        SWAPS,
    ),
    Mutant(
        "a backfill that was under way does not count for fields that were added",
        (Edit(ATTACH, "        progress.finish()\n", ""),),
        CHANGES,
    ),
    Mutant(
        "fields that were added are to be filled",
        (Edit(ATTACH, "            filling=True,\n", ""),),
        CHANGES,
    ),
)
