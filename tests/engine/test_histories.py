"""Random histories of writers, processes and faults, after which the index must equal the table.

No thread and no hash has a say in them: a seed that fails does so again, on any machine (`History(1234).run()`).
"""

from __future__ import annotations

import pytest

from tests.engine.history import FEATURES, History, Wrong

SEEDS = range(120)
BATCHES = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_every_history_ends_with_an_equal_index(batch: int) -> None:
    """Whatever happened in whatever order; and no checkpoint on the way claimed more than was settled."""
    wrong = []
    for seed in SEEDS[batch::BATCHES]:
        history = History(seed)
        try:
            history.run()
        except Wrong as error:
            wrong.append(f"seed {seed} ({', '.join(sorted(history.has))}): {error}")
    assert not wrong, "\n".join(wrong)


def test_a_seed_is_the_same_history_again() -> None:
    """Down to the last version in the index."""

    def versions(seed: int) -> list[tuple[str, int]]:
        history = History(seed)
        history.run()
        return sorted((hit.draft.body, hit.version) for hit in history.world.index.hits())

    assert versions(7) == versions(7)


def test_the_histories_have_everything_in_them() -> None:
    """None of the features was left out by chance."""
    assert set().union(*(History(seed).has for seed in SEEDS)) == set(FEATURES)
    assert sum(History(seed).wakeups is not None for seed in SEEDS) > 40
    assert sum(History(seed).rebuilds for seed in SEEDS) > 20
    assert sum(History(seed).related is not None for seed in SEEDS) > 40
