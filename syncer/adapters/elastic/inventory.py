"""Which indices there are for a pipeline, whoever knows of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from elasticsearch import Elasticsearch

from syncer.adapters.elastic.aliases import meta_of
from syncer.adapters.elastic.error import translate_errors

#: What is put behind the alias: by `core.index.physical_name`, and where `check` tries a mapping.
OURS = r"-(\d{8}-\d{6}-\d{3}|check-[0-9a-f]{8})"


def indices_of(client: Elasticsearch, pipeline: str, aliases: Iterable[str]) -> Sequence[str]:
    """Return the indices that are called as the pipeline's are, and do not say that they are another one's.

    Raises SinkUnavailable, AccessDenied.
    """
    prefixes = sorted(aliases)
    with translate_errors():
        answer = client.indices.get(
            # Not of all indices: privileges are granted for these, and there may be thousands.
            index=[f"{prefix}-*" for prefix in prefixes],
            features=["aliases", "mappings"],
            # Without the aliases an index that says nothing of itself would be left out.
            filter_path="*.aliases,*.mappings._meta.syncer.pipeline",
            expand_wildcards="all",
        )
    called = re.compile("|".join(re.escape(prefix) + OURS for prefix in prefixes))
    found = []
    for name, body in answer.body.items():
        meta = meta_of({"mappings": {}, **body})
        if called.fullmatch(name) and (meta is None or meta.get("pipeline") == pipeline):
            found.append(name)
    return sorted(found)
