"""The guides for those who come from elsewhere: what they tell to do, beside an index of another tool."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from tests.app.deployment import Deployment

DOCS = Path(__file__).parents[2] / "docs"
TABLE = """
DROP TABLE articles;
CREATE TABLE articles (
    id bigint PRIMARY KEY, title text, body text, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON articles (updated_at, id);
CREATE TRIGGER touch BEFORE UPDATE ON articles FOR EACH ROW EXECUTE FUNCTION touch();
INSERT INTO articles VALUES (1, 'late commits', 'are found'), (2, 'deletes', 'are noted');
"""


@pytest.mark.parametrize("guide", ["logstash", "debezium", "connectors"])
def test_a_guide_leads_to_an_index_that_is_proved_and_takes_the_old_ones_place(
    guide: str, deployment: Deployment
) -> None:
    """Its configuration and its commands; the daemon once, for its end is waited for."""
    text = (DOCS / f"{guide}.md").read_text(encoding="utf-8")
    (written,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.M | re.S)
    (commands,) = re.findall(r"^ *```sh\n(.*?)^ *```$", text, re.M | re.S)
    (articles,) = yaml.load(written, Loader=yaml.SafeLoader)["pipelines"].values()
    old, index = f"{deployment.prefix}-old", articles.pop("index") | {"replicas": 0}
    deployment.sql(TABLE)
    client = deployment.elastic.client
    client.index(index=old, id="1", document={"title": "of another tool"}, refresh=True)

    deployment.configure(**articles, index=index | {"alias": f"{deployment.prefix}-{index['alias']}"})
    for line in commands.splitlines():
        arguments = line.split()[1:]
        code, out, err = deployment.run(*arguments, *(["--once"] if arguments == ["run"] else []))
        assert code == 0, (line, out, err)
    assert client.count(index=old)["count"] == 1

    assert "--take-over" in text
    deployment.configure(**articles, index=index | {"alias": old})
    code, out, err = deployment.run("rebuild", "articles", "--take-over")
    assert code == 0, (out, err)
    assert client.indices.exists_alias(name=old)
    assert client.count(index=old)["count"] == 2
