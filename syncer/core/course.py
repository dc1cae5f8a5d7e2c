"""What is to be done about an index that was built from another configuration."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from syncer.core.fingerprint import differences, signature
from syncer.core.index import IndexRecord, Phase


class Course(StrEnum):
    """What a daemon does."""

    #: It was built from this configuration.
    FOLLOW = "follow"
    #: It adds in place what is new.
    GROW = "grow"
    #: It builds another one.
    REBUILD = "rebuild"
    #: It refuses: an index of this configuration is kept.
    ROLL_BACK = "roll back"
    REFUSE = "refuse"


def course(record: IndexRecord, fingerprint: Mapping[str, str], *, grows: bool, rebuilds: bool, kept: bool) -> Course:
    """Decide; grows: the configuration only adds to the index's. kept: an index of this configuration is kept.

    A configuration that was replaced changes nothing by itself. Else two processes, one of which still has it, would
    change the index in turns for ever, and a daemon would undo a rollback.
    """
    if not record.fingerprint or not differences(record.fingerprint, fingerprint):
        return Course.FOLLOW
    if kept:
        return Course.ROLL_BACK
    if signature(fingerprint) in record.superseded:
        return Course.REFUSE
    if grows and record.phase is Phase.LIVE:
        return Course.GROW
    return Course.REBUILD if rebuilds else Course.REFUSE
