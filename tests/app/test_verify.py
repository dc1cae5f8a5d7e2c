"""`syncer verify` on real servers: what it prints, and what `--deep` compares."""

from __future__ import annotations

from tests.app.deployment import Deployment
from tests.conftest import Elastic


def load(deployment: Deployment) -> None:
    assert deployment.run("migrate")[0] == 0
    assert deployment.run("run", "articles", "--once")[0] == 0


def test_ids_are_printed_as_they_are_but_for_control_characters(deployment: Deployment) -> None:
    """Which the terminal would obey; brackets are no markup. The JSON has the ids themselves."""
    deployment.configure()
    load(deployment)
    id_ = "\x1b[2J[red]\n\u202eé"
    deployment.elastic.client.index(index=f"{deployment.prefix}-articles", id=id_, document={"title": "foreign"})
    code, out, _ = deployment.run("verify", "articles")
    assert code == 1
    assert r"extra: \x1b[2J[red]\n\u202eé" in out
    code, document = deployment.json("verify", "articles")
    assert (code, document["samples"]) == (1, {"extra": [id_]})


def test_vectors_of_columns_are_equal_to_what_the_server_makes_of_them(deployment: Deployment) -> None:
    """It keeps 32 bits of each number; NULL is one too."""
    vector = {"type": "dense_vector", "dims": 3, "options": {"similarity": "cosine"}}
    deployment.sql("ALTER TABLE articles ADD v8 float8[], ADD v4 real[]")
    deployment.sql("INSERT INTO articles (id, title, v8, v4) VALUES (1, 'a', '{0.123456789123,3e3,1}', '{0.1,0.2,3}')")
    deployment.sql("INSERT INTO articles (id, title) VALUES (2, 'b')")
    deployment.configure(fields={"title": "text", "v8": vector, "v4": vector})
    load(deployment)
    assert deployment.json("verify", "articles", "--deep")[0] == 0
    change = {"v8": [0.2, 3e3, 1]}
    deployment.elastic.client.update(index=f"{deployment.prefix}-articles", id="1", doc=change)
    code, document = deployment.json("verify", "articles", "--deep")
    assert (code, document["samples"]) == (1, {"stale": ["1"]})


def test_a_deep_comparison_of_made_up_documents_is_refused(deployment: Deployment, real_elastic: Elastic) -> None:
    """All of them would be called stale. Hashes can be compared."""
    assert deployment.elastic is real_elastic
    settings = {"mapping.source.mode": "synthetic"}
    deployment.configure(index={"alias": f"{deployment.prefix}-articles", "replicas": 0, "settings": settings})
    deployment.sql("INSERT INTO articles (id, title) VALUES (1, 'a')")
    load(deployment)
    assert deployment.run("verify", "articles")[0] == 0
    code, _, err = deployment.run("verify", "articles", "--deep")
    assert code == 2
    assert "synthetic" in err
    assert "verify without --deep" in err
