"""Long texts in pieces, and vectors as models make them, by backend."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Protocol

import pytest

from syncer.adapters.embedding.sentence import SentenceEmbedder
from syncer.adapters.embedding.server import Server, ServerEmbedder
from syncer.adapters.embedding.static import StaticEmbedder
from syncer.adapters.embedding.text import CHARACTERS_MAX
from syncer.adapters.embedding.vector import all_of
from syncer.adapters.memory.clock import MemoryClock
from syncer.core.error import ConfigurationError
from syncer.core.vector import Chunks
from syncer.ports import Model
from tests.adapters.elastic.scripted import Answer, Request, scripted
from tests.adapters.embedding.test_static import model as static_model

#: Words, sentences, a word that is cut, one that the tokenizer does not know, other scripts, and half a pair.
TEXT = (
    "The vectors of a text are those of its pieces. Each begins with the end of the one before it! " * 12
    + "pneumonoultramicroscopicsilicovolcanoconiosis" * 2
    + " " + "k7" * 300 + " 向量是这样的。每一个都很好。" * 20
    + "\ud800 näher? " * 30
)  # fmt: skip
#: A word, as it is put before passages.
PROMPT = "passage: "


class Make(Protocol):
    def __call__(self, *, passage: str = "", normalise: bool = True) -> Model: ...


@pytest.fixture(params=["sentence", "static", "server"])
def make(request: pytest.FixtureRequest, tiny: Path, tmp_path: Path) -> Iterator[Make]:
    """Makes an embedder of each kind."""
    match request.param:
        case "sentence":
            yield lambda *, passage="", normalise=True: SentenceEmbedder(
                str(tiny), passage=passage, normalise=normalise
            )
        case "static":
            pytest.importorskip("model2vec")
            folder = str(static_model(tmp_path))
            yield lambda *, passage="", normalise=True: StaticEmbedder(folder, passage=passage, normalise=normalise)
        case _:

            def answer(_request: Request) -> Answer:
                return Answer(200, [[3.0, 4.0]])

            with scripted(answer) as url:
                yield lambda *, passage="", normalise=True: ServerEmbedder(
                    Server(f"{url}/embed", "m"), clock=MemoryClock(), passage=passage, normalise=normalise
                )


def bare(text: str) -> str:
    return "".join(text.split())


def test_pieces_hold_the_whole_text(make: Make) -> None:
    """In order; a short text is one piece, also beside a long one."""
    text = TEXT.replace("\ud800", "\ufffd")
    for model in (make(), make(passage=PROMPT)):
        split = model.split(["short", TEXT, " "], Chunks(64, 0))
        short, pieces, blank = split.pieces
        assert (short, blank, split.truncated) == (["short"], [" "], 0)
        assert bare("".join(pieces)) == bare(text)
        (overlapping,) = model.split([TEXT], Chunks(64, 16)).pieces
        assert len(overlapping) > len(pieces) > 10
        for piece, following in pairwise(overlapping):
            assert piece in text
            assert following[:4] in piece


@pytest.mark.parametrize("passage", ["", PROMPT])
def test_no_piece_is_longer_than_what_the_model_reads(tiny: Path, passage: str) -> None:
    """Its own tokenizer says so, of each piece by itself."""
    embedder = SentenceEmbedder(str(tiny), passage=passage)
    for chunks in (Chunks(32, 0), Chunks(256, 64)):
        (pieces,) = embedder.split([TEXT], chunks).pieces
        assert max(embedder.tokens(pieces)) <= chunks.tokens
        assert sum(embedder.tokens(pieces)) > len(pieces) * chunks.tokens / 2
        assert embedder.embed(pieces).truncated == 0


def test_pieces_longer_than_the_window_are_refused(make: Make, tiny: Path) -> None:
    """And those that a prompt leaves no room in."""
    with pytest.raises(ConfigurationError, match=r"chunk\.tokens: .* reads 256 tokens at once, not 257"):
        SentenceEmbedder(str(tiny)).split([], Chunks(257, 32))
    with pytest.raises(ConfigurationError, match=r"chunk\.tokens: of 32 the prompt .* take \d\d"):
        make(passage=PROMPT * 20).split([], Chunks(32, 0))


def test_what_is_past_the_bound_is_in_no_piece(make: Make) -> None:
    """It is told, as it is of a text that is embedded whole."""
    split = make().split(["word " * (CHARACTERS_MAX // 5 + 1), "short"], Chunks(256, 0))
    assert split.truncated == 1
    assert len(" ".join(split.pieces[0])) == CHARACTERS_MAX - 1


def test_what_is_past_the_bound_is_not_read(make: Make) -> None:
    """Also where what is before it has fewer tokens than the window: words of thousands of characters are one each."""
    assert make().embed([("x" * 4000 + " ") * 60]).truncated == 1


def lengths(vectors: Sequence[bytes]) -> list[float]:
    return [math.hypot(*struct.unpack(f"<{len(vector) // 4}f", vector)) for vector in vectors]


def test_vectors_may_be_left_as_the_model_makes_them(make: Make) -> None:
    """Those of queries too; another model is another fingerprint."""
    scaled, made = make(), make(normalise=False)

    def vectors(model: Model) -> list[bytes]:
        return [*all_of(model.embed(["text"]).vectors), model.embed_query("x")]

    assert lengths(vectors(scaled)) == pytest.approx([1, 1], abs=1e-5)
    assert all(abs(length - 1) > 0.01 for length in lengths(vectors(made)))
    assert made.fingerprint != scaled.fingerprint
    assert {**scaled.description, "normalise": "false"} == made.description
