"""What is asked before a configuration is written: which tables, by which column, and whether texts are embedded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from syncer.adapters.postgres.survey import Found, Survey, Texts
from syncer.app.init.proposal import Proposal, Remedy, obstacles, propose, ranked, text_columns, told_apart
from syncer.app.init.question import Ask, Question, agreed, answered
from syncer.app.init.watermark import Candidate, candidates, zone_of
from syncer.app.setting_type import zone as valid_zone
from syncer.core.error import ConfigurationError
from syncer.core.suggestion import suggestion

#: Tables that are listed to choose from.
_LISTED_MAX = 20

#: Returns what columns of a table hold.
Look = Callable[[Found, Sequence[str]], Mapping[str, Texts]]


def chosen(
    survey: Survey,
    look: Look,
    ask: Ask,
    tell: Callable[[str], None],
    *,
    tables: Sequence[str],
    embed: bool,
) -> Sequence[Proposal]:
    """Return what is to be followed, and how. tables: by name; none: it is asked. embed: without asking.

    Raises ConfigurationError where a table is not there, or cannot be followed as it is, with the SQL that mends it.
    """
    found = [named(survey, name) for name in tables] if tables else _tables(survey, ask, tell)
    proposals = [
        _proposal(survey, table, look, ask, tell) for table in {table.place: table for table in found}.values()
    ]
    if any(each.text for each in proposals):
        embed = embed or agreed(ask, "Search by meaning too? It takes a model, and time for each text", default=False)
    elif embed:
        raise ConfigurationError("--embed: there is no text to embed", hint="leave it out, or name another --table")
    return told_apart([replace(each, embed=embed and bool(each.text)) for each in proposals])


def named(survey: Survey, name: str) -> Found:
    """Return a table by `schema.table`, or its name alone. Raises ConfigurationError: there is none, or several."""
    known = {str(table): table for table in survey.tables}
    if name in known:
        return known[name]
    alike = [table for table in survey.tables if table.name == name]
    if len(alike) == 1:
        return alike[0]
    if alike:
        raise ConfigurationError(
            f"there are several tables {name}", hint=f"write the schema too: {', '.join(map(str, alike))}"
        )
    names = known if "." in name else [table.name for table in survey.tables]
    raise ConfigurationError(f"there is no table {name}", hint=suggestion(name, names))


def _tables(survey: Survey, ask: Ask, tell: Callable[[str], None]) -> Sequence[Found]:
    order = ranked(survey)
    if not order:
        raise ConfigurationError(
            f"the database {survey.database} holds no tables", hint="name another one: --source-url URL"
        )
    if lacks := obstacles(order[0], survey.role):
        raise _refused(lacks, "none of the tables can be followed as it is; of the best: ")
    tell("Tables, the best first:")
    for number, table in enumerate(order[:_LISTED_MAX], 1):
        lacks = obstacles(table, survey.role)
        tell(f"  {number:2}  {table}, about {table.rows:,} rows{'  – ' if lacks else ''}{_short(lacks)}")
    if len(order) > _LISTED_MAX:
        tell(f"      and {len(order) - _LISTED_MAX} more, by name")
    which = Question("Which ones? Numbers or names, separated by commas", "1")

    def understood(answer: str) -> Sequence[Found]:
        names = [name.strip() for name in answer.split(",")]
        return [_named(survey, order, name) for name in names if name] or [order[0]]

    return answered(ask, which, understood, tell)


def _named(survey: Survey, order: Sequence[Found], answer: str) -> Found:
    if answer.isascii() and answer.isdigit() and 1 <= int(answer) <= len(order):
        return order[int(answer) - 1]
    return named(survey, answer)


def _short(lacks: Sequence[Remedy]) -> str:
    return "; ".join(each.what.partition(" has ")[2].partition(",")[0] or each.what for each in lacks)


def _proposal(survey: Survey, table: Found, look: Look, ask: Ask, tell: Callable[[str], None]) -> Proposal:
    watermark = _watermark(table, ask, tell)
    lacks = obstacles(table, survey.role, told=watermark is not None)
    if lacks or watermark is None:
        raise _refused(lacks)
    zone = None
    if watermark.zoneless:
        zone = zone_of(table, watermark.column, survey.zone)
        which = Question(f"{table}.{watermark.column} has no time zone. Which one do its writers keep?", zone)
        zone = answered(ask, which, _zone, tell)
    return propose(survey, table, look(table, text_columns(table)), watermark, zone)


def _zone(answer: str) -> str:
    try:
        valid_zone(answer)
    except ValueError as error:
        raise ConfigurationError(f"{answer} {error}") from None
    return answer


def _watermark(table: Found, ask: Ask, tell: Callable[[str], None]) -> Candidate | None:
    """Return the column that tells of changes; None: there is none, or nobody knows it."""
    times = candidates(table)
    likely = [each for each in times if each.likely]
    if len(times) < 2 and likely:
        return likely[0]
    if not times:
        return None
    listed = "; ".join(f"{each.column} ({', '.join(each.reasons)})" if each.reasons else each.column for each in times)
    best = likely[0].column if likely else "none"
    which = Question(f"Which column of {table} does every insert and update set? {listed}", best)

    def understood(answer: str) -> Candidate | None:
        if answer == "none":
            return None
        for each in times:
            if each.column == answer:
                return each
        raise ConfigurationError(
            f"{table} has no such time: {answer}", hint=suggestion(answer, [each.column for each in times])
        )

    return answered(ask, which, understood, tell)


def _refused(lacks: Sequence[Remedy], before: str = "") -> ConfigurationError:
    what = "\n".join(each.what for each in lacks)
    sql = "\n".join(each.sql for each in lacks)
    return ConfigurationError(f"{before}{what}", hint=f"this SQL mends it:\n{sql}")
