"""Ways to search that are compared."""

from __future__ import annotations

import pytest

from syncer.app.trial import trials
from syncer.core.error import ConfigurationError
from syncer.core.search.request import Match, Mode

ALL = [Mode.KEYWORD, Mode.VECTOR, Mode.HYBRID]


def test_without_settings_each_mode_is_tried_as_it_is() -> None:
    """That of the pipeline's own defaults."""
    assert [(each.mode, each.request.mode, each.settings) for each in trials(ALL, [])] == [(m, m, {}) for m in ALL]


def test_every_combination_is_tried() -> None:
    """Of what concerns the mode: words wherever words are looked for, fusion in hybrid searches."""
    found = trials(ALL, ["k=10, 60,10", "match=cross_fields", "vector=0.5"])[3:]
    assert [(each.mode, each.settings) for each in found] == [
        (Mode.KEYWORD, {"match": "cross_fields"}),
        (Mode.HYBRID, {"k": "10", "match": "cross_fields", "vector": "0.5"}),
        (Mode.HYBRID, {"k": "60", "match": "cross_fields", "vector": "0.5"}),
    ]
    request = found[1].request
    assert (request.fusion.k, request.fusion.vector, request.fusion.keyword) == (10, 0.5, 1.0)
    assert request.words.match is Match.CROSS_FIELDS


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["k"], "'k' is no setting with values"),
        (["k=10,,60"], "is no setting with values"),
        (["windows=10"], "there is no 'windows'"),
        (["k=ten"], "'ten' is not a whole number from 1 to 10000"),
        (["window=0"], "'0' is not a whole number from 1 to 10000"),
        (["vector=nan"], "'nan' is not a weight of 0 or more"),
        (["keyword=-1"], "'-1' is not a weight"),
        (["match=exact"], "'exact' is not one of best_fields, "),
        (["k=1", "k=2"], "given twice"),
        (["k=" + ",".join(map(str, range(20))), "window=" + ",".join(map(str, range(1, 20)))], "more than 200"),
    ],
)
def test_what_is_no_setting_is_refused(options: list[str], message: str) -> None:
    """With what there is."""
    with pytest.raises(ConfigurationError, match=message):
        trials(ALL, options)


def test_fusion_needs_a_hybrid_search() -> None:
    """Where it would change nothing, nobody is to believe that it did."""
    with pytest.raises(ConfigurationError, match="--compare k: the pipeline has no hybrid search"):
        trials([Mode.KEYWORD], ["k=10"])
    assert len(trials([Mode.KEYWORD], ["fuzziness=1"])) == 2
