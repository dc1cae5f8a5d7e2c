"""Another spelling of a query, one that more documents have."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from typing import Any

from syncer.adapters.elastic.search.answer import Answer, hits_of
from syncer.adapters.elastic.search.conversation import Conversation
from syncer.adapters.elastic.search.declared import Declared, Leaf
from syncer.adapters.elastic.search.searched import ask

#: Fields whose words are looked at, those with the most weight first.
_FIELDS_MAX = 5
#: Words of a query that are spelt otherwise.
_ERRORS_MAX = 3
#: How alike the word that was typed must be to the one that takes its place.
_ALIKE = 0.5

#: Around words that are spelt otherwise: characters that no text holds, and that markers are not stripped of.
_START, _END = "\ue000", "\ue001"
_CHANGED = re.compile(f"{_START}([^{_START}{_END}]*){_END}")
_WORD = re.compile(r"\w+")


def spelling_body(text: str, declared: Declared) -> Mapping[str, Any]:
    """Return the body of the search for another spelling."""
    leaves = sorted(declared.texts.values(), key=lambda leaf: -leaf.boost)[:_FIELDS_MAX]
    suggest = {
        leaf.path: {
            "phrase": {
                "field": leaf.path,
                "size": 1,
                "max_errors": _ERRORS_MAX,
                "highlight": {"pre_tag": _START, "post_tag": _END},
                "direct_generator": [{"field": leaf.path, "suggest_mode": "popular"}],
            }
        }
        for leaf in leaves
    }
    return {"size": 0, "track_total_hits": False, "suggest": {"text": text, **suggest}}


def spelling(alias: str, answer: Answer, text: str, declared: Declared) -> Conversation[str | None]:
    """Return the text with the likeliest other words; None: there are none.

    What a field knows of a word may be its stem. Of such a word some document's form is taken.
    """
    options = [
        (option["score"], path, option.get("highlighted", ""))
        for path, entries in answer["suggest"].items()
        for entry in entries
        for option in entry["options"]
    ]
    if not options:
        return None
    _, path, marked = max(options)
    changed = [word for words in _CHANGED.findall(marked) for word in words.split()]
    leaf = declared.texts[path]
    forms = {word: word for word in changed}
    if leaf.analyzer is not None and changed:
        forms = yield from _forms(alias, changed, leaf)
    other = text
    for word in changed:
        typed = max(_WORD.findall(other), key=lambda each: _likeness(each, word), default="")
        if word not in forms or _likeness(typed, word) < _ALIKE:
            return None
        other = re.sub(rf"\b{re.escape(typed)}\b", forms[word], other)
    return other if other.lower() != text.lower() else None


def _forms(alias: str, stems: list[str], leaf: Leaf) -> Conversation[dict[str, str]]:
    """Return by stem a word of some document."""
    mark = {"pre_tags": [_START], "post_tags": [_END], "number_of_fragments": 1, "fields": {leaf.path: {}}}
    bodies = {
        stem: {"query": {"match": {leaf.path: stem}}, "size": 1, "_source": False, "highlight": mark} for stem in stems
    }
    answers = yield from ask(alias, bodies)
    return {stem: word.lower() for stem, answer in answers.items() for word in list(_marked(answer, leaf))[:1]}


def _marked(answer: Answer, leaf: Leaf) -> Iterator[str]:
    for hit in hits_of(answer):
        for piece in hit.get("highlight", {}).get(leaf.path, ()):
            yield from _CHANGED.findall(piece)


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()
