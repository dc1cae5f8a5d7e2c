"""The index that a command may deliver into beside the daemon."""

from __future__ import annotations

from syncer.core.error import ConfigurationError
from syncer.core.index import IndexRecord, Phase
from syncer.engine.attach import prove_index
from syncer.engine.course import prove_fingerprint
from syncer.engine.pipeline import Pipeline


def followed_index(pipeline: Pipeline) -> IndexRecord:
    """Return the record of the pipeline's index, once it is loaded and proved to be the right one.

    Not before: while it is first loaded nobody else may write to it.
    """
    record = pipeline.store.index(pipeline.name)
    if record is None or record.phase is not Phase.LIVE:
        raise ConfigurationError(
            f"pipeline {pipeline.name!r} has no loaded index yet", hint=f"load it: syncer run {pipeline.name}"
        )
    prove_fingerprint(pipeline, record)
    prove_index(pipeline, record)
    return record
