"""SQL that mends what `check` finds, for people to read and run; syncer itself never runs it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count

from syncer.adapters.postgres.tables import TOMBSTONES, qualified
from syncer.core.table import Table


def grant_select(table: Table, role: str) -> str:
    """Let the role read the table."""
    return (
        f"GRANT USAGE ON SCHEMA {qualified(table.schema)} TO {qualified(role)};\n"
        f"GRANT SELECT ON {_relation(table)} TO {qualified(role)};"
    )


def grant_stats(role: str) -> str:
    """Let the role see when the transactions of others began."""
    return f"GRANT pg_read_all_stats TO {qualified(role)};"


def grant_create(database: str, role: str) -> str:
    """Let the role create the state schema."""
    return f"GRANT CREATE ON DATABASE {qualified(database)} TO {qualified(role)};"


def grant_tombstones(schema: str, role: str, *, create: bool = False) -> str:
    """Let the role read and prune the tombstones; create: and create tables beside them."""
    return (
        f"GRANT USAGE{', CREATE' if create else ''} ON SCHEMA {qualified(schema)} TO {qualified(role)};\n"
        f"GRANT SELECT, DELETE ON {qualified(schema, TOMBSTONES)} TO {qualified(role)};"
    )


def grant_create_in(schema: str, role: str) -> str:
    """Let the role create the tombstones in a schema that is there, and the triggers' functions."""
    return f"GRANT USAGE, CREATE ON SCHEMA {qualified(schema)} TO {qualified(role)};"


def grant_noting(schema: str, role: str) -> str:
    """Let the role, to whom a table belongs, install triggers that fill the tombstones which are there; and remove them
    with what they noted."""
    return (
        f"{grant_create_in(schema, role)}\n"
        f"GRANT SELECT, INSERT, DELETE ON {qualified(schema, TOMBSTONES)} TO {qualified(role)};"
    )


def grant_insert(schema: str, role: str) -> str:
    """Let the role, to whom a trigger's function belongs, write tombstones."""
    return (
        f"GRANT USAGE ON SCHEMA {qualified(schema)} TO {qualified(role)};\n"
        f"GRANT INSERT ON {qualified(schema, TOMBSTONES)} TO {qualified(role)};"
    )


def bypass_policies(role: str) -> str:
    """Let the role read every row; takes a superuser."""
    return f"ALTER ROLE {qualified(role)} BYPASSRLS;"


def not_null(table: Table, columns: Sequence[str]) -> str:
    """Forbid NULL in columns."""
    return "\n".join(f"ALTER TABLE {_relation(table)} ALTER COLUMN {qualified(name)} SET NOT NULL;" for name in columns)


def unique_key(table: Table, *, partitioned: bool) -> str:
    """Make the key unique."""
    return _create_index("UNIQUE INDEX", table, table.key, partitioned=partitioned)


def polling_index(table: Table, *, partitioned: bool) -> str:
    """Create the index in whose order polls read."""
    return _create_index("INDEX", table, (table.watermark_column.name, *table.key), partitioned=partitioned)


def joining_index(table: Table, columns: Sequence[str], *, partitioned: bool) -> str:
    """Create the index that rows are found by from those they are related to."""
    return _create_index("INDEX", table, tuple(columns), partitioned=partitioned)


def add_key(table: Table) -> str:
    """Make the key's columns the primary key; without any: number the rows."""
    if table.key:
        return f"ALTER TABLE {_relation(table)} ADD PRIMARY KEY ({', '.join(map(qualified, table.key))});"
    return (
        f"ALTER TABLE {_relation(table)} ADD COLUMN {qualified('id')} bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;"
    )


def add_watermark(table: Table, *, partitioned: bool) -> str:
    """Add the watermark, with its index and its trigger."""
    column = f"{qualified(table.watermark_column.name)} timestamptz NOT NULL DEFAULT now()"
    index = polling_index(table, partitioned=partitioned)
    return f"ALTER TABLE {_relation(table)} ADD COLUMN {column};\n{index}\n{touch_trigger(table)}"


def stamp_missing(table: Table) -> str:
    """Give a watermark to the rows that have none."""
    watermark = qualified(table.watermark_column.name)
    return (
        f"UPDATE {_relation(table)} SET {watermark} = {_now(table)} WHERE {watermark} IS NULL;\n"
        f"ALTER TABLE {_relation(table)} ALTER COLUMN {watermark} SET DEFAULT {_now(table)};\n"
        f"{not_null(table, [table.watermark_column.name])}"
    )


def touch_trigger(table: Table) -> str:
    """Set the watermark at every insert and update, whoever writes."""
    function = qualified(table.schema, f"syncer_touch_{table.name}"[:63])
    body = f"BEGIN\n  NEW.{qualified(table.watermark_column.name)} := {_now(table)};\n  RETURN NEW;\nEND"
    # A name may hold $$ too.
    mark = next(mark for length in count() if (mark := f"${'_' * length}$") not in body)
    return (
        f"CREATE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql AS {mark}\n{body} {mark};\n"
        f"CREATE TRIGGER syncer_touch BEFORE INSERT OR UPDATE ON {_relation(table)}\n"
        f"  FOR EACH ROW EXECUTE FUNCTION {function}();"
    )


def _create_index(kind: str, table: Table, columns: Sequence[str], *, partitioned: bool) -> str:
    # Postgres cannot do it concurrently on a partitioned table.
    how = "" if partitioned else " CONCURRENTLY"
    return f"CREATE {kind}{how} ON {_relation(table)} ({', '.join(map(qualified, columns))});"


def _now(table: Table) -> str:
    if table.watermark_zone is None:
        return "now()"
    return "(now() AT TIME ZONE '{}')".format(table.watermark_zone.replace("'", "''"))


def _relation(table: Table) -> str:
    return qualified(table.schema, table.name)
