"""`syncer indices` on real servers."""

from __future__ import annotations

from typing import Any

import pytest

from tests.app.deployment import Deployment


@pytest.fixture(name="loaded")
def _loaded(deployment: Deployment) -> Deployment:
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "--once")[0] == 0
    return deployment


def listed(deployment: Deployment) -> list[dict[str, Any]]:
    code, document = deployment.json("indices")
    assert code == 0
    return list(document["indices"])


def test_indices_that_the_state_does_not_know_are_listed(loaded: Deployment) -> None:
    """By their name; not what is another pipeline's, another installation's, or of somebody else."""
    client, alias = loaded.elastic.client, f"{loaded.prefix}-articles"
    ours, others = {"pipeline": "articles"}, {"pipeline": "others"}
    for name, meta in (
        (f"{alias}-20260101-000000-000", None),
        (f"{alias}-check-0123abcd", ours),
        (f"{alias}-staging-20260101-000000-000", ours),
        (f"{alias}-20260101-000000-001", others),
        (f"{alias}-old-20260101-000000-000", None),
        (f"{alias}-archive", None),
    ):
        client.indices.create(index=name, mappings={"_meta": {"syncer": meta}} if meta else {})
    live, *unknown = listed(loaded)
    assert (live["role"], live["searched"]) == ("live", True)
    assert [each["index"] for each in unknown] == [f"{alias}-20260101-000000-000", f"{alias}-check-0123abcd"]
    assert {(each["role"], each["phase"], each["searched"], each["documents"]) for each in unknown} == {
        ("unknown", None, False, 0)
    }
    out = " ".join(loaded.run("indices")[1].split())
    assert f"delete it, if nothing else needs it: DELETE /{alias}-check-0123abcd" in out


def test_an_index_whose_state_is_gone_is_not_to_be_deleted_while_it_is_searched(loaded: Deployment) -> None:
    """After the state was lost."""
    loaded.sql("DELETE FROM syncer.indices")
    (one,) = listed(loaded)
    assert (one["role"], one["searched"]) == ("unknown", True)
    out = " ".join(loaded.run("indices")[1].split())
    assert "keep it until another one is in its place: syncer run articles" in out
    assert "DELETE" not in out


def test_an_index_that_is_hardly_begun_is_listed(loaded: Deployment) -> None:
    """It is not missing: it was never there."""
    loaded.sql(
        f"""
        INSERT INTO syncer.indices (name, pipeline, alias, phase, epoch, fingerprint, followed)
        VALUES ('{loaded.prefix}-new', 'articles', '{loaded.prefix}-articles', 'new', 0, '{{}}', false)
        """
    )
    new = listed(loaded)[1]
    assert (new["role"], new["phase"], new["missing"], new["documents"]) == ("building", "new", False, None)
    out = loaded.run("indices")[1]
    assert "building (new)" in out
    assert "not created yet" in " ".join(out.split())
