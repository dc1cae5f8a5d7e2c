"""Texts in pieces, on the memory adapters."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from syncer.adapters.memory.embedder import MemoryEmbedder
from syncer.adapters.memory.vector_cache import MemoryVectorCache
from syncer.core.change import Draft
from syncer.core.outcome import Rejected
from syncer.core.vector import Chunks, Embedded, Vector, mean
from syncer.engine.embed import Embedding
from tests.builders import a_world
from tests.engine.comparing import counts, verified

EACH, MEAN = Chunks(10, 0), Chunks(10, 0, mean=True)
LONG = "one one. two two. one one."
PIECES = ["one one.", "two two."]


@dataclass
class Model:
    """An embedder and a cache, and what embeds with them."""

    embedder: MemoryEmbedder = field(default_factory=MemoryEmbedder)
    cache: MemoryVectorCache = field(default_factory=MemoryVectorCache)

    def embedding(self, *, unit: bool = True, portion_characters: int = 1000, **chunks: Chunks) -> Embedding:
        return Embedding(self.embedder, self.cache, chunks, unit=unit, portion_characters=portion_characters)

    def whole(self, texts: Sequence[str]) -> list[bytes]:
        return [vector for vector in self.embedder.embed(texts).vectors if isinstance(vector, bytes)]


def a_draft(key: str = "1", **texts: str) -> Draft:
    return Draft((key,), "{}", 1, texts)


def test_a_long_text_has_a_vector_for_each_of_its_pieces() -> None:
    """In their order; equal pieces are embedded once, in one call with all others."""
    model = Model()
    found = model.embedding(v=EACH).vectors([a_draft(v=LONG), a_draft("2", v="two two."), a_draft("3", v=" ")])
    assert model.embedder.asked == PIECES
    one, two = model.whole(PIECES)
    assert found.of == {("1",): {"v": (one, two, one)}, ("2",): {"v": (two,)}, ("3",): {}}
    assert (found.embedded, found.cached) == (2, 0)


def test_a_text_in_pieces_that_is_known_is_not_even_cut() -> None:
    """One value is cached for all of them; cut in another way, or whole, it is another text."""
    model = Model()
    embedding = model.embedding(v=EACH)
    first = embedding.vectors([a_draft(v=LONG)])
    model.embedder.asked.clear()
    assert embedding.vectors([a_draft(v=LONG)]).of == first.of
    assert (model.embedder.asked, model.embedder.split_texts) == ([], [LONG])
    both = model.embedding(v=EACH, w=Chunks(20, 0), x=MEAN).vectors([a_draft(v=LONG, w=LONG, x=LONG, y=LONG)])
    assert (both.embedded, both.cached) == (3, 1)
    vectors = both.of[("1",)]
    assert vectors["v"] == first.of[("1",)]["v"]
    assert vectors["y"] == model.whole([LONG])[0]
    assert len(set(vectors.values())) == 4


def test_the_mean_of_a_text_is_of_length_one() -> None:
    """Unless vectors are left as the model makes them."""
    model = Model()
    one, two = (struct.unpack("<4f", vector) for vector in model.whole(PIECES))
    sums = [2 * a + b for a, b in zip(one, two, strict=True)]
    for unit, length in ((True, math.hypot(*sums)), (False, 3)):
        made = Model().embedding(v=MEAN, unit=unit).vectors([a_draft(v=LONG)]).of[("1",)]["v"]
        assert isinstance(made, bytes)
        assert struct.unpack("<4f", made) == pytest.approx([number / length for number in sums])


def test_pieces_that_cancel_each_other_out_have_no_mean() -> None:
    """It would have no direction."""
    assert isinstance(mean([struct.pack("<2f", 1, -1), struct.pack("<2f", -1, 1)], unit=True), Rejected)


def test_a_row_is_refused_with_any_of_its_pieces() -> None:
    """A document that is found by some of its text would pass for complete. The others of its batch are kept."""
    model = Model()
    model.embedder.refused = {"two two."}
    found = model.embedding(v=EACH, w=MEAN).vectors([a_draft(v=LONG), a_draft("2", w=LONG), a_draft("3", v="one one.")])
    assert found.refused.keys() == {("1",), ("2",)}
    assert found.of.keys() == {("3",)}
    assert found.embedded == 1


class Counting(MemoryEmbedder):
    """Remembers how many texts were embedded together."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[int] = []

    def embed(self, texts: Sequence[str]) -> Embedded:
        self.calls.append(len(texts))
        return super().embed(texts)


def test_a_large_batch_is_embedded_in_portions() -> None:
    """Of bounded size, whatever the texts are cut to; each is cached as soon as it is there."""
    embedder = Counting()
    model = Model(embedder)
    drafts = [a_draft(f"{i}", v=f"{i} {LONG}", w=f"{i}") for i in range(9)]
    found = model.embedding(portion_characters=100, v=EACH).vectors(drafts)
    assert len(found.of) == 9
    assert len(embedder.calls) == 3
    assert model.embedding(v=EACH).vectors(drafts).cached == 18


class Bounded(MemoryVectorCache):
    """Refuses what a database does that may be sent so much at once."""

    def put(self, fingerprint: str, vectors: Mapping[bytes, bytes]) -> None:
        assert sum(map(len, vectors.values())) < 20_000_000
        super().put(fingerprint, vectors)


def test_many_vectors_are_cached_by_several_calls() -> None:
    """However few characters they are made of."""
    model = Model(MemoryEmbedder(dims=250_000), Bounded())
    draft = [a_draft(f"{i}", v=f"{i}") for i in range(25)]
    assert model.embedding(v=EACH).vectors(draft).embedded == 25
    assert model.embedding(v=EACH).vectors(draft).cached == 25


@pytest.mark.parametrize("change", [lambda v: v[:-1], lambda v: v[1:] + v[:1], lambda v: (*v, v[0]), lambda v: v[0]])
def test_pieces_that_are_not_of_the_row_are_found_by_a_deep_comparison(
    change: Callable[[tuple[bytes, ...]], Vector],
) -> None:
    """One is gone, they stand in another order, there is one more, or they are none."""
    world = a_world(embedding=True)
    world.pipeline = replace(
        world.pipeline, embedding=Embedding(world.embedder, MemoryVectorCache(), {"embedding": EACH})
    )
    for i in range(3):
        world.table.put((f"{i:03}",), text=LONG)
    world.worker().run_once()
    assert verified(world, deep=True).equal
    (document,) = [d for d in world.index.hits() if d.key == ("001",)]
    vector = document.vectors["embedding"]
    assert isinstance(vector, tuple)
    world.index.apply(replace(document, vectors={"embedding": change(vector)}, version=10**9))
    found = verified(world, deep=True, repair=True)
    assert counts(found) == {"stale": 1}
    assert found.equal
