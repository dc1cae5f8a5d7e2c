"""Secrets from files, where they stand among the settings, and in which forms they are recognised."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml

from syncer.app.interpolation import FILE_BYTES_MAX
from syncer.app.redaction import redactor
from syncer.app.secret import forms, hidden_parts
from syncer.app.settings import Settings
from syncer.core.error import ConfigurationError

SOURCE = "postgresql://reader:${file:%s}@localhost/shop"


def load(folder: Path, url: str, **elastic: Any) -> Settings:
    path = folder / "syncer.yaml"
    settings = {
        "source": {"url": url},
        "elasticsearch": {"hosts": "http://localhost:9200", **elastic},
        "pipelines": {"articles": {"table": "articles"}},
    }
    path.write_text(yaml.safe_dump(settings))
    return Settings.load(path, {"file": "variable"})


def test_a_value_may_be_in_a_file(tmp_path: Path) -> None:
    """Named with its whole path, or from the configuration file's folder; the end of its line is no part of it."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "source").write_text("hunter2\n")
    whole = tmp_path / "key"
    whole.write_bytes("# ${file:x} zwölf \r\n".encode())
    settings = load(tmp_path, SOURCE % "secrets/source", api_key=f"${{file:{whole}}}")
    assert settings.source.url.get_secret_value() == "postgresql://reader:hunter2@localhost/shop"
    assert settings.elasticsearch.api_key is not None
    assert settings.elasticsearch.api_key.get_secret_value() == "# ${file:x} zwölf "
    assert {"hunter2", "# ${file:x} zwölf "} <= set(settings.secrets())
    assert "hunter2" not in repr(settings)


def test_a_variable_may_be_called_file(tmp_path: Path) -> None:
    """With a default too, which begins with a hyphen; `$${` stays what it is."""
    found = load(tmp_path, "postgresql://h/${file}-${file:-x}-$${file:x}").source.url.get_secret_value()
    assert found == "postgresql://h/variable-variable-${file:x}"


@pytest.mark.parametrize(
    ("holds", "said"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "holds nothing"),
        (b"\n", "holds nothing"),
        (b"hunter2\xff", "is not UTF-8"),
        (b"hunter2" * FILE_BYTES_MAX, "is longer than 64 kB: a secret is meant"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named_with_its_setting(holds: bytes | None, said: str, tmp_path: Path) -> None:
    """And nothing of what it holds."""
    if holds is not None:
        (tmp_path / "secret").write_bytes(holds)
    with pytest.raises(ConfigurationError) as refused:
        load(tmp_path, SOURCE % "secret")
    assert f"source.url: file {tmp_path / 'secret'} {said}" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_file_that_somebody_else_keeps_is_named(tmp_path: Path) -> None:
    """A folder in its place, too."""
    with pytest.raises(ConfigurationError, match=r"cannot be read: Is a directory"):
        load(tmp_path, SOURCE % "../" + tmp_path.name)
    if os.geteuid() == 0:
        return  # who may read everything
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "secret").chmod(0)
    with pytest.raises(ConfigurationError, match=r"cannot be read: Permission denied"):
        load(tmp_path, SOURCE % "secret")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://reader:hunter2@half@localhost/shop",
        "postgresql://reader:hunter2@half/half@localhost/shop",
        "postgresql://read/er:hunter2@localhost/shop",
        "postgresql://rea@der:hunter2@localhost/shop",
    ],
)
def test_a_password_that_would_be_read_as_a_host_is_refused(url: str, tmp_path: Path) -> None:
    """Messages name hosts and databases. The remedy is told, and no part of the URL."""
    for section in ({"source": {"url": url}}, {"source": {"url": "postgresql://h/d"}, "state": {"url": url}}):
        path = tmp_path / "syncer.yaml"
        rest = {"elasticsearch": {"hosts": "http://h:9200"}, "pipelines": {"articles": {"table": "articles"}}}
        path.write_text(yaml.safe_dump(section | rest))
        with pytest.raises(ConfigurationError, match=r"url: has an @ or / within user or password") as refused:
            Settings.load(path, {})
        assert not {word for word in ("hunter2", "half") if word in str(refused.value)}


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///shop?host=/run/postgresql",
        "postgresql://reader@/shop",
        "postgresql://reader:p%40ss%2Fword@localhost,other/shop?application_name=a@b",
        "postgresql://localhost/shop?options=-csearch_path%3Da@b",
        "postgresql://reader:s3cr:e/t@[::1]:5432/shop",
    ],
)
def test_other_urls_are_taken(url: str, tmp_path: Path) -> None:
    """Whatever the driver understands."""
    assert load(tmp_path, url).source.url.get_secret_value() == url


def test_of_a_url_the_parts_that_let_in_are_secret() -> None:
    """Where it leads is told, or nobody could mend it."""
    assert hidden_parts("postgresql://reader:hunter2@db.example.com/shop?sslpassword=hunter3&x=y") == [
        "hunter2",
        "hunter3",
    ]
    assert hidden_parts("postgresql://db.example.com/shop") == []
    assert hidden_parts("https://hooks.example.com/services/T0123/B4567") == ["services/T0123/B4567", ""]
    assert hidden_parts("https://example.com/webhook") == [""]
    assert hidden_parts("mysql://u:hunter2@h") == ["mysql://u:hunter2@h", "hunter2"]
    assert hidden_parts("plain words") == ["plain words"]
    assert hidden_parts("Bearer hunter2") == ["Bearer hunter2", "hunter2"]


def test_a_secret_is_recognised_in_every_form() -> None:
    """Percent-encoded, decoded, and as JSON and Python write it."""
    secret = "a\"b'c\\d%/e é"
    redact = redactor(forms(quote(secret, safe="")))
    for shown in (secret, quote(secret), quote(secret, safe=""), repr(secret), r"a\"b'c\\d%/e \u00e9"):
        assert redact(f"before {shown} after") in {"before *** after", "before '***' after"}


def test_a_basic_login_is_secret_as_it_is_sent(tmp_path: Path) -> None:
    """A proxy that quotes headers has it in base64."""
    settings = load(tmp_path, "postgresql://h/d", username="elastic", password="hunter2")
    assert "ZWxhc3RpYzpodW50ZXIy" in settings.secrets()


def test_a_row_that_begins_a_url_again_and_again_costs_nothing() -> None:
    """It would take minutes, were each beginning followed to the end of the text; a message may quote such a row."""
    redact = redactor(["hunter2"])
    for beginning in ("://a:", "://", "password=", "authorization ", "authorization: basic "):
        text = beginning * (10**6 // len(beginning))
        assert redact(text + "hunter2").endswith("***")
    assert redact("postgresql://a:" + "x" * 1000 + "@h") == "postgresql://a:***@h"
