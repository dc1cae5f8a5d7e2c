"""A function of the user's between hydration and the index, on the memory adapters."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from syncer.adapters.json import OrJson
from syncer.core.change import Draft, Hydration, Removal
from syncer.core.error import TooManyRejections
from syncer.core.index import Phase
from syncer.core.outcome import Rejected
from syncer.engine.batch import KeyBatch
from syncer.engine.deliver import Draw
from syncer.engine.rebuild import rebuild
from syncer.engine.transform import KIND, Transform, transformed
from syncer.engine.verify import Verified
from tests.builders import World, a_world
from tests.engine.comparing import counts, verified

Function = Callable[[Any], Any]


def a_transforming_world(function: Function, *, batch: bool = False, **options: Any) -> World:
    return a_world(transform=Transform(function, OrJson(), batch=batch), **options)


def made(function: Function, *bodies: str, batch: bool = False) -> list[Any]:
    drafts = [Draft((str(i),), body, i, {"vector": "a text"}) for i, body in enumerate(bodies)]
    return list(Transform(function, OrJson(), batch=batch).of(drafts))


def refusal(function: Function, body: str = '{"n":1}', *, batch: bool = False) -> str:
    (rejected,) = made(function, body, batch=batch)
    assert isinstance(rejected, Rejected)
    assert (rejected.kind, rejected.passing) == (KIND, False)
    return rejected.reason


def doubled(document: Any) -> Any:
    return {**document, "n": 2 * document["n"]}


def of_even(document: Any) -> Any:
    return document if document["n"] % 2 == 0 else None


def each(function: Function) -> Function:
    return lambda documents: [function(document) for document in documents]


@pytest.mark.parametrize("batch", [False, True])
def test_the_index_holds_what_the_function_returns(batch: bool) -> None:
    """By loads and polls alike, and nothing differs from it, not in depth either."""
    world = a_transforming_world(each(doubled) if batch else doubled, batch=batch)
    for i in range(25):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    world.table.put(("003",), n=33)
    world.worker().run_once()
    assert world.index.documents() == {key: {"n": 2 * row["n"]} for key, row in world.table.documents().items()}
    assert verified(world) == verified(world, deep=True) == Verified(source_rows=25, indexed=25, complete=True)


def test_the_poller_draws_before_the_function_is_called() -> None:
    """While it runs, others may deliver the row as it is by then: with higher numbers."""
    drawn: list[int] = []

    def slow(document: Any) -> Any:
        drawn.append(world.store.draw())
        return document

    world = a_transforming_world(slow)
    world.worker().run_once()
    with world.following() as poll:
        world.table.put(("1",), n=1)
        poll()
    assert world.written[-1].version < drawn[-1]


def test_a_row_that_it_begins_to_return_none_for_loses_its_document() -> None:
    """By a removal with a number like any other; the row comes back when it returns a document again."""
    world = a_transforming_world(of_even)
    world.table.put(("1",), n=2)
    world.worker().run_once()
    with world.following() as poll:
        world.table.put(("1",), n=3)
        poll()
        assert world.index.documents() == {}
        last = world.written[-1]
        assert isinstance(last, Removal)
        assert last.version > world.written[0].version
        world.table.put(("1",), n=4)
        poll()
    assert world.index.documents() == {("1",): {"n": 4}}


def test_a_row_without_document_is_removed_from_where_it_was() -> None:
    """The removal is routed by what the row says."""
    world = a_transforming_world(of_even, shards=4)
    world.table.routing = "tenant"
    world.table.put(("1",), n=2, tenant="blue")
    world.worker().run_once()
    world.table.put(("1",), n=3, tenant="blue")
    world.worker().run_once()
    assert list(world.index.hits()) == []


@pytest.mark.parametrize("deep", [False, True])
def test_rows_that_it_leaves_out_are_not_missing(deep: bool) -> None:
    """They are counted by themselves, each once, and the index is verified; a document that one has is extra."""
    world = a_transforming_world(of_even)
    for i in range(25):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    found = verified(world, deep=deep)
    assert (found.source_rows, found.left_out, found.indexed) == (13, 12, 13)
    assert found.equal
    (document,) = [hit for hit in world.index.hits() if hit.key == ("002",)]
    world.index.apply(replace(document, draft=replace(document.draft, key=("003",))))
    found = verified(world, deep=deep, repair=True)
    assert counts(found) == {"extra": 1}
    assert (found.source_rows, found.left_out, found.repaired, found.equal) == (13, 12, 1, True)
    assert ("003",) not in world.index.documents()


def test_a_comparison_in_depth_finds_what_another_function_has_made() -> None:
    """The hash is of the row, and was the same."""
    world = a_transforming_world(doubled)
    world.table.put(("1",), n=2)
    world.worker().run_once()
    world.pipeline = replace(
        world.pipeline, transform=Transform(lambda document: {"n": 3 * document["n"]}, OrJson(), batch=False)
    )
    assert verified(world).equal
    assert counts(verified(world, deep=True)) == {"stale": 1}


def test_a_row_that_it_raises_for_is_a_dead_letter_and_keeps_its_document() -> None:
    """With what was raised and where; the other rows go on; a good write closes it."""
    world = a_transforming_world(lambda document: {"n": 10 // document["n"]})
    for name, n in (("1", 1), ("2", 2)):
        world.table.put((name,), n=n)
    world.worker().run_once()
    with world.following() as poll:
        world.table.put(("1",), n=0)
        world.table.put(("2",), n=5)
        poll()
        (letter,) = world.dead_letters()
        assert (letter.key, letter.kind) == (("1",), "transform_failed")
        first, *rest = letter.reason.splitlines()
        assert first == rest[-1] == "ZeroDivisionError: integer division or modulo by zero"
        assert rest[0] == "Traceback (most recent call last):"
        assert f'File "{__file__}"' in rest[1]
        assert world.index.documents() == {("1",): {"n": 10}, ("2",): {"n": 2}}
        found = verified(world)
        assert (found.unreadable, found.unexplained, found.samples) == (1, 0, {"unreadable": ["1"]})
        world.table.put(("1",), n=5)
        poll()
    assert world.dead_letters() == []
    assert verified(world).equal


def test_a_function_that_raises_for_all_rows_stops_the_pipeline() -> None:
    """Its message has the first line alone."""
    world = a_transforming_world(lambda document: document["price"], rejections=3)
    for i in range(5):
        world.table.put((str(i),), n=i)
    with pytest.raises(TooManyRejections) as caught:
        world.worker().run_once()
    assert caught.value.message.endswith("KeyError: 'price'")


def test_a_refused_row_is_removed_from_where_else_it_was() -> None:
    """Where it belongs its document stays, as that of a row that the index refuses."""
    world = a_transforming_world(doubled, shards=4)
    world.table.routing = "tenant"
    world.table.put(("1",), n=2, tenant="blue")
    world.worker().run_once()
    world.table.put(("1",), n=None, tenant="blue")
    reader = world.pipeline.reader()
    delivery = world.pipeline.delivery(
        reader.documents, world.record.name, world.store, draw=Draw.BEFORE_HYDRATION, recheck_created=True
    )
    world.written.clear()
    batch = KeyBatch([("1",)], {("1",): frozenset({"blue", "red"})})
    ((_, delivered),) = delivery.run([batch])
    assert isinstance(delivered.outcomes["1",], Rejected)
    assert [(write.key, write.routing) for write in world.written if isinstance(write, Removal)] == [(("1",), "red")]


def test_a_document_that_is_created_although_the_row_has_none_by_now_is_removed() -> None:
    """An old write may revive it where the index has forgotten the removal."""
    world = a_transforming_world(of_even)
    world.table.put(("0",), n=0)
    world.worker().run_once()
    world.table.put(("1",), n=2)

    def change(write: Any) -> None:
        if not isinstance(write, Removal):
            world.table.put(("1",), n=3)

    world.on_write = change
    delivery = world.pipeline.delivery(
        world.pipeline.reader().documents,
        world.record.name,
        world.store,
        draw=Draw.BEFORE_HYDRATION,
        recheck_created=True,
    )
    delivery.deliver([("1",)])
    assert world.index.documents() == {("0",): {"n": 0}}


def test_texts_and_hashes_stay_those_of_the_row() -> None:
    """The function changes neither, and what it leaves out is not embedded."""
    drafts = [Draft((str(n),), f'{{"n":{n}}}', 7, {"vector": f"text {n}"}) for n in (1, 2)]
    transform = Transform(lambda document: of_even({**document, "a": 1}), OrJson(), batch=False)
    found = transformed(Hydration(drafts, {}), transform)
    assert found.drafts == [replace(drafts[1], body='{"n":2,"a":1}')]
    assert found.left_out == {("1",)}


def test_an_index_of_rows_that_are_left_out_or_refused_takes_the_old_ones_place() -> None:
    """Neither is held against a rebuild; the refused ones are its dead letters."""
    world = a_transforming_world(lambda document: of_even({"n": document["n"], "of": 100 // (7 - document["n"])}))
    for i in range(25):
        world.table.put((f"{i:03}",), n=i)
    world.worker().run_once()
    world.pipeline = replace(world.pipeline, fingerprint={"transform": "another version"})
    world.clock.advance(1)  # indices are named by the time
    rebuilt = rebuild(world.pipeline, world.events)
    assert (rebuilt.phase, world.record.name) == (Phase.LIVE, rebuilt.index)
    assert rebuilt.verified is not None
    assert (rebuilt.verified.source_rows, rebuilt.verified.left_out, rebuilt.verified.unreadable) == (14, 11, 1)
    assert [letter.key for letter in world.dead_letters()] == [("007",)]
    assert len(world.index.documents()) == 13


def test_a_batch_that_fails_is_called_in_halves_until_the_row_is_found() -> None:
    """Each time with documents that no call before has changed; the others are made as ever."""
    calls: list[int] = []

    def function(documents: Any) -> Any:
        calls.append(len(documents))
        for document in documents:
            document["n"] += 1
        return [{"n": 100 // (document["n"] - 6)} for document in documents]

    found = made(function, *(json.dumps({"n": i}) for i in range(8)), batch=True)
    assert [i for i, one in enumerate(found) if isinstance(one, Rejected)] == [5]
    assert [json.loads(one)["n"] for one in found[6:]] == [100, 50]
    assert calls == [8, 4, 4, 2, 1, 1, 2]


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (lambda documents: documents[1:], "returned 0 for a list of 1"),
        (lambda documents: documents * 2, "returned 2 for a list of 1"),
        (lambda _documents: None, "returned a value of type NoneType for a list of 1"),
        (lambda documents: (document for document in documents), "returned a value of type generator for a list of 1"),
        (lambda _documents: ["text"], "returned a value of type str, neither a dictionary nor None"),
    ],
)
def test_a_batch_function_that_returns_another_thing_is_told_what(returned: Function, said: str) -> None:
    """Of the single row that is left."""
    assert refusal(returned, batch=True) == said


def test_a_wrong_item_is_that_rows_alone() -> None:
    """The list was as long as it should be, so that nobody has to be asked again."""
    calls: list[int] = []

    def function(documents: Any) -> Any:
        calls.append(len(documents))
        return ({"n": 1}, 5, None)

    one, two, three = made(function, "{}", "{}", "{}", batch=True)
    assert (one, three, calls) == ('{"n":1}', None, [3])
    assert two == Rejected(KIND, "returned a value of type int, neither a dictionary nor None")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([], "a value of type list, neither a dictionary nor None"),
        ({"a": {1}}, "what is not JSON: Type is not JSON serializable: set"),
        ({1: "a"}, "what is not JSON: Dict key must be str"),
        ({"a": [{"b": float("nan")}]}, "what is not JSON: NaN and infinite numbers are none"),
        ({"a": 2**64}, "what is not JSON: Integer exceeds 64-bit range"),
        ({"_syncer": {"hash": 1}}, "a field _syncer, which syncer fills itself"),
        ({"_syncer.hash": 1}, "a field _syncer.hash, which syncer fills itself"),
        ({"vector": [1.0]}, "a field vector, which syncer fills itself"),
    ],
)
def test_what_cannot_be_a_document_is_refused_with_the_reason(value: Any, said: str) -> None:
    """Whatever the index would make of it."""
    assert refusal(lambda _document: value) == f"returned {said}"


def test_json_that_is_nested_too_deep_refuses_the_row() -> None:
    """It cannot be handed to the function."""
    assert "depth limit exceeded" in refusal(doubled, "[" * 2000 + "]" * 2000)


def test_an_error_of_any_length_is_kept_short() -> None:
    """With its type in the first line, and the end of the traceback."""

    def deep(levels: int) -> None:
        if levels:
            deeper(levels - 1)
        raise ValueError("x" * 100_000)

    def deeper(levels: int) -> None:
        deep(levels)

    reason = refusal(lambda _document: deep(100))
    first, *rest = reason.splitlines()
    assert first.startswith("ValueError: xxx")
    assert any(", in deep" in line for line in rest)
    assert "ValueError: xxx" in "\n".join(rest)
    assert len(reason) < 5_000


def test_a_syntax_error_has_its_name_in_the_first_line() -> None:
    """Python's own words begin with the place."""
    assert refusal(lambda _document: compile("1 +", "typed", "eval")).startswith("SyntaxError: invalid syntax\n")


def test_it_is_never_called_twice_at_once() -> None:
    """Several batches are under way at once, and a comparison beside them."""
    together = threading.Barrier(2)

    def function(document: Any) -> Any:
        try:
            together.wait(0.2)
        except threading.BrokenBarrierError:
            return document
        return None

    transform = Transform(function, OrJson(), batch=False)
    draft = Draft(("1",), "{}", 0, {})
    with ThreadPoolExecutor(2) as executor:
        assert list(executor.map(transform.of, [[draft]] * 2)) == [["{}"], ["{}"]]
