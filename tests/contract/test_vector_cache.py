"""The vector cache."""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

from syncer.adapters.memory.vector_cache import MemoryVectorCache
from syncer.adapters.postgres.vector_cache import PostgresVectorCache
from syncer.core.error import ConfigurationError, StateUnavailable
from syncer.ports import VectorCache
from tests.contract.shared_state import PostgresState

MODEL = "all-MiniLM-L6-v2@1/torch/float32"


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


VECTORS = {digest(str(number)): random.Random(number).randbytes(4 * 384) for number in range(1000)}


@pytest.fixture(name="postgres_cache")
def _postgres_cache(postgres_state: PostgresState) -> Iterator[PostgresVectorCache]:
    cache = PostgresVectorCache(postgres_state.url, "syncer")
    yield cache
    cache.close()


@pytest.fixture(name="cache", params=["memory", "postgres"])
def _cache(request: pytest.FixtureRequest) -> VectorCache:
    if request.param == "memory":
        return MemoryVectorCache()
    cache: PostgresVectorCache = request.getfixturevalue("postgres_cache")
    return cache


def test_vectors_come_back_byte_for_byte(cache: VectorCache) -> None:
    """Those that are there; the others are left out."""
    cache.put(MODEL, VECTORS)
    assert cache.get(MODEL, [*VECTORS, digest("unknown")]) == VECTORS
    assert cache.get(MODEL, [digest("7"), digest("7")]) == {digest("7"): VECTORS[digest("7")]}


def test_values_are_of_any_length(cache: VectorCache) -> None:
    """That of a text in pieces holds the vectors of all of them."""
    values = {digest(f"{pieces}"): random.Random(pieces).randbytes(4 * 384 * pieces) for pieces in (1, 3, 800)}
    cache.put(MODEL, values)
    assert cache.get(MODEL, list(values)) == values


def test_nothing_is_asked_and_nothing_is_put(cache: VectorCache) -> None:
    """A batch may have no texts."""
    cache.put(MODEL, {})
    assert cache.get(MODEL, []) == {}


def test_vectors_of_another_model_are_not_found(cache: VectorCache) -> None:
    """They could not be compared."""
    cache.put(MODEL, {digest("a"): b"one"})
    cache.put("another", {digest("a"): b"two"})
    assert cache.get(MODEL, [digest("a")]) == {digest("a"): b"one"}
    assert cache.get("another", [digest("a")]) == {digest("a"): b"two"}


def test_the_first_vector_of_a_text_stays(cache: VectorCache) -> None:
    """Putting is idempotent, and a batch may be partly there."""
    cache.put(MODEL, {digest("a"): b"one"})
    cache.put(MODEL, {digest("a"): b"one", digest("b"): b"two"})
    assert cache.get(MODEL, [digest("a"), digest("b")]) == {digest("a"): b"one", digest("b"): b"two"}


def test_several_processes_put_the_same_texts(postgres_state: PostgresState) -> None:
    """At once, in whatever order each has met them, and want them when they were last used long ago."""
    together = threading.Barrier(4)

    def work(thread: int) -> None:
        cache = PostgresVectorCache(postgres_state.url, "syncer")
        for batch in range(5):
            digests = [digest(f"{batch}/{number}") for number in range(1000)]
            random.Random(thread).shuffle(digests)
            together.wait(timeout=20)
            cache.put(MODEL, dict.fromkeys(digests, b"vector"))
            if together.wait(timeout=20) == 0:
                postgres_state.execute("UPDATE syncer.embeddings SET used_at = '2020-01-01'")
            together.wait(timeout=20)
            assert len(cache.get(MODEL, digests)) == len(digests)
        cache.close()

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))


@pytest.mark.parametrize("read", [True, False])
def test_a_vector_that_is_used_is_marked_once_a_day(
    postgres_cache: PostgresVectorCache, postgres_state: PostgresState, read: bool
) -> None:
    """So that those which nobody wants any more can be told, without a write for each look-up."""
    old, fresh, unwanted = digest("1"), digest("2"), digest("3")
    postgres_cache.put(MODEL, dict.fromkeys((old, fresh, unwanted), b"vector"))
    for each, age in ((old, "25 hours"), (fresh, "23 hours"), (unwanted, "25 hours")):
        postgres_state.execute(
            "UPDATE syncer.embeddings SET used_at = now() - %s::interval WHERE digest = %s", age, each
        )
    if read:
        assert len(postgres_cache.get(MODEL, [old, fresh])) == 2
    else:
        postgres_cache.touch(MODEL, [old, fresh])
    ages = dict(
        postgres_state.execute(
            "SELECT digest, round(extract(epoch FROM now() - used_at) / 3600) FROM syncer.embeddings"
        )
    )
    assert ages == {old: 0, fresh: 23, unwanted: 25}


def test_what_was_wanted_longest_ago_exceeds_the_size(
    postgres_cache: PostgresVectorCache, postgres_state: PostgresState
) -> None:
    """What is pruned before the time that is told leaves no more than that, and a minute's vectors."""
    postgres_cache.put(MODEL, VECTORS)
    postgres_state.execute(
        "UPDATE syncer.embeddings"
        " SET used_at = '2026-01-01'::timestamptz + (get_byte(digest, 0) % 10) * interval '1 minute'"
    )
    sizes = dict(postgres_state.execute("SELECT used_at, sum(octet_length(vector)) FROM syncer.embeddings GROUP BY 1"))
    most = sum(sizes.values()) // 2
    assert postgres_cache.exceeded_before(sum(sizes.values())) is None
    before = postgres_cache.exceeded_before(most)
    assert before is not None
    assert before in sizes
    postgres_cache.prune(before, len(VECTORS))
    (left,) = postgres_state.execute("SELECT sum(octet_length(vector)) FROM syncer.embeddings")[0]
    assert most < left <= most + sizes[before]
    assert postgres_cache.exceeded_before(1) == max(sizes)


def test_a_look_up_waits_for_nobody(postgres_cache: PostgresVectorCache, postgres_state: PostgresState) -> None:
    """Somebody else is marking one of its vectors at this moment: that one is left to them."""
    postgres_cache.put(MODEL, VECTORS)
    postgres_state.execute("UPDATE syncer.embeddings SET used_at = '2020-01-01'")
    with psycopg.connect(postgres_state.url) as other:
        other.execute("UPDATE syncer.embeddings SET used_at = now() WHERE digest = %s", [digest("7")])
        with ThreadPoolExecutor(1) as thread:
            looking = thread.submit(postgres_cache.get, MODEL, list(VECTORS))
            try:
                assert looking.result(timeout=20) == VECTORS
            finally:
                other.rollback()
    old = "SELECT digest FROM syncer.embeddings WHERE used_at < '2020-01-02'"
    assert postgres_state.execute(old) == [(digest("7"),)]


def test_a_session_that_ended_is_replaced(postgres_cache: PostgresVectorCache, postgres_state: PostgresState) -> None:
    """The call that finds out fails and may be repeated."""
    postgres_cache.put(MODEL, VECTORS)
    postgres_state.end_sessions()
    with pytest.raises(StateUnavailable):
        postgres_cache.get(MODEL, [digest("1")])
    assert len(postgres_cache.get(MODEL, [digest("1")])) == 1


def test_a_schema_that_is_not_there_is_a_matter_of_migrate(postgres_url: str) -> None:
    """The message says which command makes it."""
    cache = PostgresVectorCache(postgres_url, "syncer")
    with pytest.raises(ConfigurationError) as missing:
        cache.get(MODEL, [digest("1")])
    assert "syncer migrate" in missing.value.hint
    cache.close()
