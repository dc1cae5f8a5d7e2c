"""Whether an index was built from this configuration, and what is to be done where it was not."""

from __future__ import annotations

from syncer.core.course import Course, course
from syncer.core.definition import changes
from syncer.core.error import FingerprintMismatch, IndexMissing
from syncer.core.fingerprint import differences
from syncer.core.index import IndexRecord, Phase, Role, kept_newest_first
from syncer.engine.pipeline import OnChange, Pipeline


def prove_current(pipeline: Pipeline, index: str) -> None:
    """Raise FingerprintMismatch where the index is by now of another configuration; IndexMissing where it is forgotten.

    For those who write without its lease, before each write: it may grow at any time, and a row of before has a higher
    number than the one that fills it. What has drawn its number and passes here has a lower one.
    """
    record = pipeline.store.named(index)
    if record is None:
        raise IndexMissing(
            f"the state knows no index {index}", hint=f"see what there is: syncer indices {pipeline.name}"
        )
    prove_fingerprint(pipeline, record)


def prove_fingerprint(pipeline: Pipeline, record: IndexRecord) -> None:
    """Raise FingerprintMismatch, with the exact difference, where the index was built from another configuration."""
    if not differences(record.fingerprint, pipeline.fingerprint):
        return
    changed = changes(record, pipeline.fingerprint, pipeline.definition)
    hint = f"build a new index: syncer rebuild {pipeline.name}; or take the change back"
    if record.role is Role.LIVE:
        match course_of(pipeline, record):
            case Course.GROW:
                hint = (
                    f"let it grow in place: syncer run {pipeline.name}; "
                    "a daemon that runs has to be restarted, for it reads its configuration when it starts"
                )
            case Course.ROLL_BACK:
                kept = kept_of_this(pipeline)
                name = kept.name if kept is not None else "one that was kept"
                hint = f"index {name} was built from this configuration: syncer rollback {pipeline.name}"
    raise FingerprintMismatch(
        f"the configuration of pipeline {pipeline.name!r} no longer matches index {record.name}: {'; '.join(changed)}",
        hint=hint,
    )


def course_of(pipeline: Pipeline, record: IndexRecord) -> Course:
    """Return what is to be done about the configuration that the index was built from."""
    if not record.fingerprint or not differences(record.fingerprint, pipeline.fingerprint):
        return Course.FOLLOW  # most often, and without a look at the other indices
    return course(
        record,
        pipeline.fingerprint,
        grows=pipeline.grows_from(record.definition),
        rebuilds=pipeline.on_change is OnChange.REBUILD,
        kept=kept_of_this(pipeline) is not None,
    )


def kept_of_this(pipeline: Pipeline) -> IndexRecord | None:
    """Return the newest kept index that was built from this configuration."""
    kept = [each for each in kept_newest_first(pipeline.store.indices(pipeline.name)) if each.phase is Phase.KEPT]
    return next((each for each in kept if not differences(each.fingerprint, pipeline.fingerprint)), None)
