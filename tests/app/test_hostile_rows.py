"""Rows that somebody wrote to break whoever reads them, beside one that is well."""

from __future__ import annotations

from tests.app.deployment import Deployment

ROWS = r"""
ALTER TABLE articles ADD doc json;
INSERT INTO articles (id, title, doc) VALUES
    (1, 'well', '{"a": 1}'),
    (2, 'many keys', (SELECT json_object_agg('k' || i, i) FROM generate_series(1, 20000) AS i)),
    (3, 'deep', concat(repeat('[', 990), repeat(']', 990))::json),
    (4, 'too deep', concat(repeat('{"a":', 3000), 1, repeat('}', 3000))::json),
    (5, 'numbers', '[1e400, -1e400, 1e-400, 12345678901234567890123456789012345678901234567890]'),
    (6, 'characters', '["a\u0000b", "\ud800", "\u202e", "\u001b[31m", "</script>"]'),
    (7, repeat('x', 20 * 1024 * 1024), NULL),
    (8, E'=cmd|'' /C calc''!A0\x1b]0;title\x07\r\n{"index":{"_index":"other","_id":"1"}}\n', NULL),
    (9, repeat('://a:', 1000000), NULL),
    (10, '${file:/etc/passwd} ${HOME} {title} %s {{7*7}}', NULL);
"""


def test_each_is_indexed_or_refused_alone(deployment: Deployment) -> None:
    """None of them holds up another, ends a command, or becomes a request of its own."""
    deployment.sql(ROWS)
    deployment.configure(fields={"title": "text", "doc": None})
    for command in (["migrate"], ["install-triggers", "articles"]):
        assert deployment.run(*command)[0] == 0
    code, _, err = deployment.run("run", "--once", "--debug")
    assert code == 1
    assert "Traceback" not in err
    client, alias = deployment.elastic.client, f"{deployment.prefix}-articles"
    client.indices.refresh(index=alias)
    indexed = {hit["_id"] for hit in client.search(index=alias, size=20, source=False)["hits"]["hits"]}
    _, listed = deployment.json("dead-letters", "list", "articles")
    refused = {key for group in listed["groups"] for key in group["examples"]}
    # The embedded engine reads less of JSON than Elasticsearch does, which takes no text of 20 MB.
    assert {"4"} <= refused <= ({"4", "7"} if deployment.elastic.real else {"3", "4", "5", "6"})
    assert indexed == {str(i) for i in range(1, 11)} - refused
    assert not client.indices.exists(index="other")
    found = client.get(index=alias, id="10")["_source"]
    assert found["title"] == "${file:/etc/passwd} ${HOME} {title} %s {{7*7}}"
    _, verified = deployment.json("verify", "articles")
    assert (verified["complete"], verified["stale"], verified["extra"]) == (True, 0, 0)
    for arguments in (["search", "articles", "well"], ["status"], ["dead-letters", "show", "articles", "4"], ["check"]):
        code, out, _ = deployment.run(*arguments)
        # `check` warns of the server.
        assert code == 0 or (arguments == ["check"] and code == 1)
        assert "\x1b]" not in out
        assert len(out) < 50_000
