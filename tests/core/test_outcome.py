"""What an item of a bulk answer means."""

from __future__ import annotations

import pytest

from syncer.core.outcome import Applied, Deferred, Outcome, Rejected, Stale, classify

CONFLICT = "[1]: version conflict, current version [100] is higher than the one provided [99]"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (("index", 201, "", "", "created"), Applied(created=True)),
        (("index", 200, "", "", "updated"), Applied()),
        (("delete", 200, "", "", "deleted"), Applied()),
        (("delete", 404, "", "", "not_found"), Applied()),
        (("index", 409, "version_conflict_engine_exception", CONFLICT, ""), Stale(100)),
        (("delete", 409, "version_conflict_engine_exception", "worded otherwise", ""), Stale(None)),
        (("index", 400, "document_parsing_exception", "bad", ""), Rejected("document_parsing_exception", "bad")),
        (("index", 429, "es_rejected_execution_exception", "full", ""),
         Deferred("es_rejected_execution_exception: full")),
        (("index", 503, "unavailable_shards_exception", "no primary", ""),
         Deferred("unavailable_shards_exception: no primary")),
        (("index", 403, "cluster_block_exception", "disk full", ""), Deferred("cluster_block_exception: disk full")),
        (("index", 500, "cluster_block_exception", "disk full", ""), Deferred("cluster_block_exception: disk full")),
        (("index", 502, "", "", ""), Deferred("status 502")),
        (("delete", 504, "", "", ""), Deferred("status 504")),
        (("index", 500, "null_pointer_exception", "null", ""), Deferred("null_pointer_exception: null", suspect=True)),
        (("delete", 500, "", "", ""), Deferred("status 500", suspect=True)),
    ],
)  # fmt: skip
def test_each_answer_has_its_outcome(answer: tuple[str, int, str, str, str], outcome: Outcome) -> None:
    """Decided by status and error type."""
    assert classify(*answer) == outcome
