"""SQL that people are told to run."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import sql

from syncer.adapters.postgres.remedy import touch_trigger
from tests.adapters.postgres.conftest import ReadTable


@pytest.mark.parametrize("watermark", ["updated_at", "w$$; DROP TABLE item; --", 'w$_$ "quoted" $$', "w'"])
def test_the_trigger_that_stamps_rows_does_so_whatever_the_watermark_is_called(
    admin: psycopg.Connection[Any], read: ReadTable, watermark: str
) -> None:
    """A name ends neither the body nor the statement."""
    name = sql.Identifier(watermark)
    admin.execute(sql.SQL("CREATE TABLE item (id bigint PRIMARY KEY, {} timestamptz)").format(name))
    admin.execute(touch_trigger(read(watermark=watermark)).encode())
    admin.execute("INSERT INTO item (id) VALUES (1)")
    stamped = sql.SQL("SELECT {} > now() - interval '1 minute' FROM item").format(name)
    assert admin.execute(stamped).fetchone() == (True,)
    admin.execute(sql.SQL("UPDATE item SET {} = '2000-01-01'").format(name))
    assert admin.execute(stamped).fetchone() == (True,)
