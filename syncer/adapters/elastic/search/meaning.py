"""Searches by meaning, and by both: rankings that are fused by rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncer.adapters.elastic.search.answer import Answer, hit_of, hits_of, ranked, total_of
from syncer.adapters.elastic.search.body import highlight, matching, source, words_query
from syncer.adapters.elastic.search.conditions import filters
from syncer.adapters.elastic.search.conversation import Conversation, Embed, Refused
from syncer.adapters.elastic.search.declared import Declared
from syncer.adapters.elastic.search.extras import Extras
from syncer.adapters.elastic.search.facets import groups
from syncer.adapters.elastic.search.rankings import IDS, Rankings, Vector, id_of, ranking_names
from syncer.adapters.elastic.search.searched import Searched, VectorGuard, ask
from syncer.core.error import AccessDenied, RequestInvalid
from syncer.core.search.condition import Condition
from syncer.core.search.fusion import Fusion, fuse
from syncer.core.search.request import Mode, Request
from syncer.core.search.result import Hit, Result


class MeaningSearch:
    """Searches by meaning, alone or with words."""

    def __init__(self, searched: Searched, declared: Declared) -> None:
        self._searched = searched
        self._declared = declared
        self._guard = VectorGuard(searched)
        #: Until it refuses: its licence, which may change, is nowhere told to those who only search.
        self._server_fuses = searched.server_fusion

    def search(self, request: Request, mode: Mode) -> Conversation[Result]:
        """Return a page. Raises Refused where Elasticsearch does not take a part."""
        _prove_possible(request, mode)
        within = filters(request.conditions, self._declared)
        shown = {"_source": source(request.fields, self._declared), **highlight(request, self._declared)}
        words = words_query(request.text.strip(), request.words, self._declared) if mode is Mode.HYBRID else None
        # Refused before a model is asked; the searches that count need its vector.
        groups(request.facets, request.conditions, self._declared)
        yield from self._guard.before()
        vector: Vector = yield Embed(request.text)
        fields = ranking_names(self._declared.vectors)
        rankings = Rankings(request, dict.fromkeys(fields, vector), fields, words)
        extras = Extras(request, self._declared, mode, rankings.nearest)
        by_server = None if request.explain or not self._server_fuses else rankings.by_server(within)
        try:
            if by_server is not None:
                result = yield from self._by_server(request, by_server, shown, extras)
                if result is not None:
                    return result
            result = yield from self._found(request, mode, rankings, within, shown, extras)
            # What the server fuses not, though there is nothing wrong with it.
            self._server_fuses = self._server_fuses and by_server is None
            return result
        except Refused:
            # Perhaps they are of another length.
            yield from self._guard.again()
            raise

    def similar(
        self, vectors: Mapping[str, Vector], id: str, size: int, conditions: Sequence[Condition]
    ) -> Conversation[Result]:
        """Return what is nearest to a document of these vectors; by the names of their rankings."""
        window = max(size, Fusion().window)
        request = Request(size=size, conditions=tuple(conditions), fusion=Fusion(window=window))
        fields = ranking_names(self._declared.vectors)
        within = [*filters(conditions, self._declared), {"bool": {"must_not": [{"ids": {"values": [id]}}]}}]
        shown = {"_source": source(None, self._declared)}
        rankings = Rankings(request, vectors, {name: fields[name] for name in vectors}, None)
        return (yield from self._found(request, Mode.VECTOR, rankings, within, shown, Extras(request, self._declared)))

    def _by_server(
        self, request: Request, body: Mapping[str, Any], shown: Mapping[str, Any], extras: Extras
    ) -> Conversation[Result | None]:
        """Return what Elasticsearch has fused; None: it does not."""
        page = {"from": request.offset, "size": request.size, **shown}
        try:
            answers = yield from ask(self._searched.alias, {"": {**body, **page}, **extras.bodies}, request.routing)
        except (Refused, AccessDenied):
            return None
        found = hits_of(answers[""])
        yield from self._guard.after(found)
        hits = [hit_of(hit, hit["_score"], {}) for hit in found]
        return (yield from self._result(Mode.HYBRID, hits, total_of(answers[""])[0], request, extras, answers))

    def _found(
        self,
        request: Request,
        mode: Mode,
        rankings: Rankings,
        within: Sequence[Any],
        shown: Mapping[str, Any],
        extras: Extras,
    ) -> Conversation[Result]:
        alias, routing = self._searched.alias, request.routing
        bodies = rankings.bodies(within)
        if len(bodies) == 1:
            ((name, body),) = bodies.items()
            page = {"from": request.offset, "size": request.size, "track_total_hits": True, **shown}
            page |= {"explain": True} if request.explain else {}
            answers = yield from ask(alias, {name: {**body, **page}, **extras.bodies}, routing)
            yield from self._guard.after(hits_of(answers[name]))
            hits, total = ranked(answers[name], name, request.offset), total_of(answers[name])[0]
        else:
            ids = {name: {**body, **IDS, "size": request.fusion.window} for name, body in bodies.items()}
            answers = yield from ask(alias, {**ids, **extras.bodies}, routing)
            for name in rankings.fields:
                yield from self._guard.after(hits_of(answers[name]))
            ranks = {name: [id_of(hit) for hit in hits_of(answers[name])] for name in bodies}
            fused = fuse(list(ranks.values()), request.fusion.k, [rankings.weights[name] for name in ranks])
            best = fused[request.offset : request.offset + request.size]
            hits = yield from self._shown(request, rankings, ranks, best, within, shown)
            total = len(fused)
        return (yield from self._result(mode, hits, total, request, extras, answers))

    def _result(
        self,
        mode: Mode,
        hits: Sequence[Hit],
        total: int,
        request: Request,
        extras: Extras,
        answers: Mapping[str, Answer],
    ) -> Conversation[Result]:
        return Result(
            mode,
            hits,
            # What is not among the best of a ranking could not be paged to.
            min(total, request.fusion.window),
            exact=True,
            facets=extras.facets(answers),
            did_you_mean=(yield from extras.did_you_mean(self._searched.alias, answers)),
        )

    def _shown(
        self,
        request: Request,
        rankings: Rankings,
        ranks: Mapping[str, Sequence[str]],
        best: Sequence[tuple[str, float]],
        within: Sequence[Any],
        shown: Mapping[str, Any],
    ) -> Conversation[list[Hit]]:
        """Return the documents of a page: of the others that were ranked, nothing but the id is ever read."""
        if not best:
            return []
        # The conditions again: a document may have been written since it was ranked, and belong to somebody else now.
        page = [{"ids": {"values": [id_ for id_, _ in best]}}, *within]
        size = {"size": len(best), "track_total_hits": False}
        bodies: dict[str, Any] = {"": {"query": matching(None, page), **size, **shown}}
        if request.explain:
            bodies |= {name: {**body, **IDS, **size, "explain": True} for name, body in rankings.bodies(page).items()}
        answers = yield from ask(self._searched.alias, bodies, request.routing)
        documents = {hit["_id"]: hit for hit in hits_of(answers.pop(""))}
        explained = {name: _explanations(answer) for name, answer in answers.items()}
        return [
            hit_of(
                documents[id_],
                score,
                {name: ranking.index(id_) + 1 for name, ranking in ranks.items() if id_ in ranking},
                {name: by_id[id_] for name, by_id in explained.items() if id_ in by_id and id_ in ranks[name]},
            )
            for id_, score in best
            # One may have been deleted meanwhile, or no longer meet the conditions.
            if id_ in documents
        ]


def _explanations(answer: Answer) -> dict[str, Any]:
    return {id_of(hit): hit["_explanation"] for hit in hits_of(answer) if "_explanation" in hit}


def _prove_possible(request: Request, mode: Mode) -> None:
    if request.sort:
        raise RequestInvalid(
            "sort", f"a {mode} search is sorted by score", hint="search with mode keyword to sort by a field"
        )
    for part, given in (("paged", request.paged), ("cursor", request.cursor is not None)):
        if given:
            raise RequestInvalid(
                part, f"a {mode} search has no cursors", hint="search with mode keyword, or page with offset"
            )
    if request.offset + request.size > request.fusion.window:
        raise RequestInvalid(
            "offset",
            f"offset and size come to {request.offset + request.size:,}, and of each ranking the best "
            f"{request.fusion.window:,} are looked at",
            hint="give fusion.window a greater value, or search with mode keyword",
        )
