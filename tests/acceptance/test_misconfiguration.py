"""What is wrong in a configuration is one clear message that names the setting, the right exit code, no traceback."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml

from tests.acceptance.installation import Installation


def other_user(url: str) -> str:
    """Return the URL with a user that the server does not know."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"nobody-here:secret-word@{parts.netloc.rpartition('@')[2]}"))


@pytest.mark.parametrize(
    ("change", "exit_code", "said"),
    [
        ({"watermrk": "updated_at"}, 2, "watermrk: unknown setting; did you mean watermark"),
        ({"table": "public.itm"}, 2, "public.item"),
        ({"watermark": "updatd_at"}, 2, "updated_at"),
        ({"fields": {"name": {"column": "titel"}}}, 2, "title"),
        ({"embedding": {"text": "{title}"}, "model": "no/such-model"}, 2, "embedding.model"),
        ({"source": other_user}, 3, "source.url"),
        ({"source": "postgresql://u:secret-word@127.0.0.1:1/db"}, 3, "source.url"),
        ({"elasticsearch": "http://127.0.0.1:1"}, 3, "elasticsearch"),
    ],
    ids=["unknown-setting", "table", "watermark", "column", "model", "password", "source-away", "elasticsearch-away"],
)
@pytest.mark.parametrize("command", [["run", "--once"], ["check"]], ids=lambda command: "-".join(command))
def test_a_fault_is_one_clear_message(
    installation: Installation, change: dict[str, Any], exit_code: int, said: str, command: list[str]
) -> None:
    """Whether a run or the check meets it; a daemon waits for servers that are away."""
    path = installation.directory / "syncer.yaml"
    settings = yaml.safe_load(path.read_text())
    change = dict(change)
    if source := change.pop("source", None):
        settings["source"]["url"] = source(installation.source_url) if callable(source) else source
    if url := change.pop("elasticsearch", None):
        settings["elasticsearch"] = {"hosts": [url]}
    if model := change.pop("model", None):
        settings["embedding"] = {"model": model}
    settings["pipelines"][installation.alias] |= change
    path.write_text(yaml.safe_dump(settings))

    done = installation.run(*command)

    printed = done.stdout + done.stderr
    assert done.returncode == exit_code, printed
    assert said in printed.replace("\n", " ")
    assert "Traceback" not in printed
    assert "secret-word" not in printed
