"""Ways to search that are compared with each other."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product

from syncer.core.error import ConfigurationError
from syncer.core.search.request import WINDOW_MAX, Match, Mode, Request
from syncer.core.suggestion import suggestion

#: Ways in all: each asks every query.
_TRIALS_MAX = 200

Setting = Callable[[Request, str], Request]


@dataclass(frozen=True, slots=True)
class Trial:
    """One way to search, without a text."""

    mode: Mode
    #: What of it is not as it is by itself.
    settings: Mapping[str, str]
    request: Request


def trials(modes: Sequence[Mode], options: Sequence[str]) -> Sequence[Trial]:
    """Return each mode as it is by itself, then in every combination of the options' values that it is concerned by.

    options: `k=10,60`. Raises ConfigurationError for what is no such thing.
    """
    values = dict(_read(option) for option in options)
    if len(values) < len(options):
        raise ConfigurationError("--compare: a setting is given twice", hint="give its values in one: k=10,60")
    if math.prod(len(each) + 1 for each in values.values()) > _TRIALS_MAX:
        raise ConfigurationError(f"--compare: more than {_TRIALS_MAX} combinations", hint="compare less at once")
    if Mode.HYBRID not in modes and (name := next((name for name in values if name in _OF_FUSION), None)):
        raise ConfigurationError(
            f"--compare {name}: the pipeline has no hybrid search", hint="configure embedding, and a field of type text"
        )
    return [*(_trial(mode, {}) for mode in modes), *(trial for mode in modes for trial in _combined(mode, values))]


def _combined(mode: Mode, values: Mapping[str, Sequence[str]]) -> Iterable[Trial]:
    known = _KNOWN[mode]
    concerned = {name: each for name, each in values.items() if name in known}
    if concerned:
        for combination in product(*concerned.values()):
            yield _trial(mode, dict(zip(concerned, combination, strict=True)))


def _trial(mode: Mode, settings: Mapping[str, str]) -> Trial:
    request = Request(mode=mode)
    for name, value in settings.items():
        try:
            request = _KNOWN[mode][name](request, value)
        except ValueError as error:
            raise ConfigurationError(f"--compare {name}: {value!r} is not {error}") from error
    return Trial(mode, settings, request)


def _read(option: str) -> tuple[str, Sequence[str]]:
    name, equals, values = option.partition("=")
    if not equals or not all(each.strip() for each in values.split(",")):
        raise ConfigurationError(f"--compare {option!r} is no setting with values", hint="write k=10,60")
    if name not in _KNOWN[Mode.HYBRID]:
        raise ConfigurationError(f"--compare: there is no {name!r}", hint=suggestion(name, _KNOWN[Mode.HYBRID]))
    return name, list(dict.fromkeys(each.strip() for each in values.split(",")))


def _whole(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if not 1 <= value <= WINDOW_MAX:
        raise ValueError(f"a whole number from 1 to {WINDOW_MAX}")
    return value


def _weight(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError("a weight of 0 or more")
    return value


def _match(text: str) -> Match:
    try:
        return Match(text)
    except ValueError:
        raise ValueError(f"one of {', '.join(Match)}") from None


_OF_WORDS: Mapping[str, Setting] = {
    "match": lambda request, text: replace(request, words=replace(request.words, match=_match(text))),
    "fuzziness": lambda request, text: replace(request, words=replace(request.words, fuzziness=text)),
    "minimum_should_match": lambda request, text: replace(
        request, words=replace(request.words, minimum_should_match=text)
    ),
}
_OF_FUSION: Mapping[str, Setting] = {
    "k": lambda request, text: replace(request, fusion=replace(request.fusion, k=_whole(text))),
    "window": lambda request, text: replace(request, fusion=replace(request.fusion, window=_whole(text))),
    "keyword": lambda request, text: replace(request, fusion=replace(request.fusion, keyword=_weight(text))),
    "vector": lambda request, text: replace(request, fusion=replace(request.fusion, vector=_weight(text))),
}
#: What can be compared in each mode.
_KNOWN: Mapping[Mode, Mapping[str, Setting]] = {
    Mode.KEYWORD: _OF_WORDS,
    Mode.VECTOR: {},
    Mode.HYBRID: {**_OF_WORDS, **_OF_FUSION},
}
