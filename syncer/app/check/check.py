"""All that check looks at; what depends on something that is broken is left out, so that nothing is told twice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

from syncer.app.check.finding import Finding, Severity, found_by
from syncer.app.check.index import check_building, check_index, check_mapping
from syncer.app.check.relation import check_relations
from syncer.app.check.server import check_elasticsearch, check_model, check_source, check_state, check_vectors
from syncer.app.check.table import check_table
from syncer.app.check.transform import check_transform
from syncer.app.check.triggers import check_triggers
from syncer.app.wiring import Application


def check(application: Application, names: Sequence[str]) -> Sequence[Finding]:
    """Return what is found of everything that the pipelines need."""
    settings = application.settings
    source = found_by("source.url", lambda: check_source(application))
    state = found_by(settings.state_setting, lambda: check_state(application)) if _works(source) else []
    elastic = found_by("elasticsearch", lambda: check_elasticsearch(application, names))
    model: Sequence[Finding] = []
    if any(settings.pipelines[name].embedding for name in names):
        model = found_by("embedding.model", lambda: check_model(application))
    findings = [*source, *state, *elastic, *model]

    def look(name: str) -> Iterator[Finding]:
        pipeline = settings.pipelines[name]
        session = application.source_session(any_server=True)
        try:
            yield from check_table(session, name, pipeline)
            yield from check_relations(session, name, pipeline)
            yield from check_triggers(session, name, settings)
        finally:
            session.close()
        transform = found_by(f"pipelines.{name}.transform", lambda: check_transform(application, name))
        yield from transform
        if not _works(transform) or (pipeline.embedding and not _works(model)):
            return
        plan = application.blueprint(name)
        yield from found_by(f"pipelines.{name}.embedding", lambda: check_vectors(application, plan))
        setting = f"pipelines.{name}.index"
        record = application.store.index(name) if _works(state) else None
        if _works(elastic):
            alias = settings.alias(name)
            yield from found_by(setting, lambda: check_mapping(application, plan, alias, record))
        if _works(elastic) and _works(state):
            yield from found_by(setting, lambda: check_index(application, plan, record))
        if _works(state):
            yield from found_by(setting, lambda: check_building(application, plan))

    if _works(source):
        for name in names:
            findings += found_by(f"pipelines.{name}", partial(look, name))
    return findings


def _works(findings: Sequence[Finding]) -> bool:
    return not any(finding.severity is Severity.ERROR for finding in findings)
