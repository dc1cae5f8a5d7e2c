"""`syncer eval`: how good a pipeline's searches are, by queries whose documents people have judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Group
from rich.table import Table

from syncer.app.exit_code import ExitCode
from syncer.app.invocation import Invocation
from syncer.app.trial import Trial, trials
from syncer.core.error import ConfigurationError
from syncer.core.search.evaluation import DEPTH, Grades, Quality, is_judged, mean_quality, quality
from syncer.core.search.judgement import read_judgements, read_queries
from syncer.core.search.request import Mode
from syncer.ports.search import Searcher

#: Queries under way at once.
_AT_ONCE = 8

_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class Judged:
    """The queries to ask, with their judgements, and how many are left out."""

    texts: Mapping[str, str]
    grades: Mapping[str, Grades]
    #: Queries without a relevant document.
    unjudged: int
    #: Judged queries without a text.
    textless: int


@dataclass(frozen=True, slots=True)
class Evaluated:
    """How good one way to search is."""

    trial: Trial
    quality: Quality


def evaluate(invocation: Invocation, name: str, queries: Path, qrels: Path, *, compare: Sequence[str]) -> ExitCode:
    """Search for every judged query in each mode, and in each combination of the settings to compare."""
    judged = _judged(queries, qrels)
    with invocation.application() as (application, _):
        (name,) = application.names([name])
        # What is fused comes after what it is made of.
        best, *others = application.searched(name).declared.modes
        ways = trials([*others, best], compare)
        found = _evaluated(application.searcher(name), judged, ways)
    if not any(each.quality.recall for each in found):
        example = next(document for grades in judged.grades.values() for document in grades)
        raise ConfigurationError(
            f"{qrels}: no search has found a relevant document",
            hint=f"judgements name documents by their _id in the index: is there one with {example!r}?",
        )
    invocation.show(_document(name, judged, found), lambda: _table(name, judged, found))
    return ExitCode.DONE


def _judged(queries: Path, qrels: Path) -> Judged:
    texts = _read(queries, "--queries", read_queries)
    judgements = _read(qrels, "--qrels", read_judgements)
    grades = {query: each for query, each in judgements.items() if is_judged(each) and query in texts}
    if not grades:
        raise ConfigurationError(
            f"no query of {queries} has a relevant document in {qrels}",
            hint="both name a query by the same id, and a relevant document has a grade above 0",
        )
    unjudged = sum(query not in grades for query in texts)
    return Judged({query: texts[query] for query in grades}, grades, unjudged, len(judgements.keys() - texts.keys()))


def _read(path: Path, option: str, read: Callable[[Iterable[str], str], _Read]) -> _Read:
    try:
        with path.open(encoding="utf-8-sig") as lines:
            return read(lines, str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{option}: cannot read {path}: {error}") from error


def _evaluated(searcher: Searcher, judged: Judged, ways: Sequence[Trial]) -> Sequence[Evaluated]:
    def ask(query: str) -> Sequence[Quality]:
        grades = judged.grades[query]
        return [quality(_ranking(searcher, way, judged.texts[query]), grades) for way in ways]

    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="query") as executor:
        asked = [executor.submit(ask, query) for query in judged.texts]
        try:
            qualities = [each.result() for each in asked]
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise
    return [Evaluated(way, mean_quality(of)) for way, of in zip(ways, zip(*qualities, strict=True), strict=True)]


def _ranking(searcher: Searcher, way: Trial, text: str) -> Sequence[str]:
    request = way.request
    # A hybrid search cannot return more than it fuses.
    size = min(DEPTH, request.fusion.window) if way.mode is Mode.HYBRID else DEPTH
    return [hit.id for hit in searcher.search(replace(request, text=text, size=size, fields=())).hits]


def _document(name: str, judged: Judged, found: Sequence[Evaluated]) -> dict[str, Any]:
    return {
        "pipeline": name,
        "queries": len(judged.texts),
        "judgements": sum(len(grades) for grades in judged.grades.values()),
        "queries_without_judgements": judged.unjudged,
        "judgements_without_query": judged.textless,
        "searches": [
            {
                "mode": each.trial.mode.value,
                "settings": dict(each.trial.settings),
                "ndcg@10": round(each.quality.ndcg, 4),
                "recall@100": round(each.quality.recall, 4),
                "mrr@10": round(each.quality.reciprocal_rank, 4),
            }
            for each in found
        ],
    }


def _table(name: str, judged: Judged, found: Sequence[Evaluated]) -> Group:
    asked = [
        f"{name}: {len(judged.texts)} queries",
        *([f"{judged.unjudged} without a relevant document left out"] if judged.unjudged else []),
        *([f"{judged.textless} judged without a text left out"] if judged.textless else []),
    ]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in ("mode", "settings"):
        table.add_column(header, overflow="fold")
    for header in ("nDCG@10", "recall@100", "MRR@10"):
        table.add_column(header, justify="right")
    for each in found:
        settings = " ".join(f"{setting}={value}" for setting, value in each.trial.settings.items())
        of = each.quality
        figures = (f"{figure:.4f}" for figure in (of.ndcg, of.recall, of.reciprocal_rank))
        table.add_row(each.trial.mode.value, settings, *figures)
    return Group(", ".join(asked), table)
