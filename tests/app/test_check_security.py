"""What `syncer check` says of connections that others could read, and of a file that they can."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from syncer.adapters.postgres.encryption import Encryption, encryption
from syncer.adapters.postgres.session import SOURCE_SETTINGS, Session
from syncer.app.alert_settings import AlertSettings
from syncer.app.check.encryption import (
    database_on_the_way,
    model_server_on_the_way,
    search_on_the_way,
    webhook_on_the_way,
)
from syncer.app.check.file import check_file
from syncer.app.check.finding import Severity
from syncer.app.settings import ElasticsearchSettings, ModelSettings, Settings, SourceSettings
from syncer.core.error import SourceUnavailable
from tests.app.deployment import Deployment
from tests.services.tls_proxy import certificate, tls_proxy

HOST = "db.example.com"


def settings(elasticsearch: dict[str, Any] | None = None, **embedding: Any) -> Settings:
    return Settings(
        source=SourceSettings(url="postgresql://u:hunter22@h/d"),  # type: ignore[arg-type]
        elasticsearch=ElasticsearchSettings(**(elasticsearch or {"hosts": "http://127.0.0.1:9200"})),
        embedding=ModelSettings(**embedding),
        pipelines={"articles": {"table": "articles"}},  # type: ignore[dict-item]
    )


@pytest.mark.parametrize(
    ("host", "encrypted", "proven", "said"),
    [
        ("/run/postgresql", False, False, None),
        ("@abstract", False, False, None),
        ("", False, False, None),
        ("localhost", False, False, None),
        ("127.0.0.9", False, False, None),
        ("::1", True, False, None),
        (HOST, False, False, "the connection to db.example.com is not encrypted"),
        ("10.0.0.5", True, False, "nothing proves that 10.0.0.5 is the server that is meant"),
        (HOST, True, True, None),
    ],
)
def test_a_database_elsewhere_is_to_prove_itself(host: str, encrypted: bool, proven: bool, said: str | None) -> None:
    """What does not leave this machine needs no TLS."""
    found = list(database_on_the_way("state.url", Encryption(host, encrypted, proven)))
    assert [finding.what.partition(":")[0] for finding in found] == ([said] if said else [])
    for finding in found:
        assert (finding.setting, finding.severity) == ("state.url", Severity.ADVICE)
        assert "sslmode=verify-full" in finding.remedy


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")
def test_what_a_connection_is_guarded_by_is_what_the_driver_says(postgres_url: str, tmp_path: Path) -> None:
    """Without TLS; with it, by default, against anybody; and with the certificate's authority named."""
    made, parts = certificate(tmp_path, HOST), urlsplit(postgres_url)
    with tls_proxy((str(parts.hostname), parts.port or 5432), made) as port:
        login = parts.netloc.rpartition("@")[0]
        elsewhere = f"postgresql://{login}@{HOST}:{port}{parts.path}?hostaddr=127.0.0.1"
        proven = f"{elsewhere}&sslmode=verify-full&sslrootcert={made}"
        for url, expected in [
            (postgres_url, Encryption(str(parts.hostname), encrypted=False, proven=False)),
            (elsewhere, Encryption(HOST, encrypted=True, proven=False)),
            (proven, Encryption(HOST, encrypted=True, proven=True)),
        ]:
            session = Session(url, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
            try:
                assert encryption(session) == expected
            finally:
                session.close()
        other = proven.replace(HOST, "other.example.com")
        session = Session(other, setting="source.url", settings=SOURCE_SETTINGS, unavailable=SourceUnavailable)
        with pytest.raises(SourceUnavailable, match=r"source\.url: .*other\.example\.com"), session.use():
            pass


@pytest.mark.skipif(not shutil.which("openssl"), reason="makes its certificate with openssl")
def test_advice_leaves_the_check_well(deployment: Deployment, tmp_path: Path) -> None:
    """A network of one's own may do without; whoever reads it decides."""
    parts = urlsplit(deployment.postgres_url)
    for command in (["migrate"], ["install-triggers", "articles"]):
        assert deployment.run(*command)[0] == 0
    with tls_proxy((str(parts.hostname), parts.port or 5432), certificate(tmp_path, HOST)) as port:
        login = parts.netloc.rpartition("@")[0]
        url = f"postgresql://{login}@{HOST}:{port}{parts.path}?hostaddr=127.0.0.1"
        deployment.configure(source={"url": url})
        code, document = deployment.json("check")
    (finding,) = [each for each in document["findings"] if each["severity"] != "info"]
    assert (code, document["ok"], finding["severity"], finding["setting"]) == (0, True, "advice", "source.url")
    assert "sslmode is not verify-full" in finding["what"]


@pytest.mark.parametrize(
    ("elasticsearch", "said"),
    [
        ({"hosts": "http://127.0.0.1:9200"}, []),
        ({"hosts": "https://search.example.com:9200"}, []),
        ({"cloud_id": "x"}, []),
        (
            {"hosts": ["https://a:9200", "http://b:9200"], "api_key": "hunter33"},
            [("advice", "elasticsearch.hosts[1]", "requests to http://b:9200 are not encrypted")],
        ),
        (
            {"hosts": "https://a:9200", "verify_certs": False},
            [("warning", "elasticsearch.verify_certs", "any certificate is trusted")],
        ),
    ],
)
def test_elasticsearch_elsewhere_is_to_be_reached_by_tls(
    elasticsearch: dict[str, Any], said: list[tuple[str, str, str]]
) -> None:
    """And its certificate to be looked at."""
    found = list(search_on_the_way(settings(elasticsearch)))
    assert [(finding.severity.value, finding.setting, finding.what) for finding in found] == said
    assert all(finding.consequence and finding.remedy for finding in found)


def test_a_model_elsewhere_is_to_be_reached_by_tls() -> None:
    """It gets the texts of all rows, and its key."""
    for url, count in [("http://127.0.0.1:1/embed", 0), ("https://m.example.com/embed", 0), ("http://m:1/embed", 1)]:
        assert len(list(model_server_on_the_way(settings(backend="http", url=url)))) == count


def test_a_webhook_elsewhere_is_to_be_reached_by_tls() -> None:
    """Its path is not shown."""
    for url, count in [("http://127.0.0.1:1/x", 0), ("https://m.example.com/x", 0), ("http://m:1/hunter22", 1)]:
        found = list(webhook_on_the_way(settings().model_copy(update={"alerts": alerts(url)})))
        assert len(found) == count
        assert "hunter22" not in str(found)


def alerts(url: str) -> AlertSettings:
    return AlertSettings.model_validate({"webhook": {"url": url}})


@pytest.fixture(name="folder")
def _folder() -> Iterator[Path]:
    """A folder that other users may enter: those of tmp_path are closed to them."""
    with tempfile.TemporaryDirectory(prefix="syncer-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_secrets_that_every_user_can_read_are_told(folder: Path) -> None:
    """By their settings; what comes from elsewhere, and a URL without a password, is no secret of the file."""
    path = folder / "syncer.yaml"
    path.write_text(
        """
        source: {url: "postgresql://u:hunter22@h/d"}
        state: {url: "postgresql://h/d"}
        elasticsearch: {hosts: "http://h:9200", api_key: "${KEY}"}
        serve: {tokens: [{token: hunter33hunter33hunter33}]}
        pipelines: {articles: {table: articles}}
        """
    )
    path.chmod(0o644)
    loaded = Settings.load(path, {"KEY": "hunter44"})
    (finding,) = check_file(path, loaded)
    assert finding.severity is Severity.WARNING
    assert "source.url, serve.tokens[0].token as plain text" in finding.what
    assert "hunter" not in str(finding)
    path.chmod(0o640)
    assert list(check_file(path, loaded)) == []
    path.chmod(0o644)
    folder.chmod(0o700)
    assert list(check_file(path, loaded)) == []
