"""The texts that the SQL of triggers is made of."""

from __future__ import annotations

#: A schema with this comment was made here, and goes when it is empty.
SCHEMA_COMMENT = "Made by syncer install-triggers"

ONCE_WHY = """\
-- The table of tombstones, one for all tables. Not CREATE ... IF NOT EXISTS, which needs the privilege in any case.
-- Polls go by "at". Not now(), the start of the transaction: that can lie before the transaction shows in pg_locks,
-- where polls look for open ones.
"""
ONCE = """
DECLARE
  -- CREATE OR REPLACE FUNCTION leaves the function to its owner.
  writer name := coalesce((SELECT pg_get_userbyid(proowner) FROM pg_proc
                            WHERE oid = to_regprocedure({function_text})), current_user);
BEGIN
  -- To be compared with at the end.
  PERFORM set_config('syncer.triggers', coalesce({standing}, ''), true);
  IF to_regnamespace({schema_text}) IS NULL THEN
    CREATE SCHEMA {schema};
    COMMENT ON SCHEMA {schema} IS '{comment}';
  END IF;
  IF to_regclass({tombstones_text}) IS NULL THEN
    CREATE TABLE {tombstones} (
      id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
      at timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
      relation text NOT NULL,
      key text[],
      routing text,
      columns jsonb
    );
    CREATE INDEX ON {tombstones} (relation, at, id);
    COMMENT ON TABLE {tombstones} IS
      'Rows that are gone, noted by triggers. Drop it with syncer remove-triggers: alone, every DELETE would fail';
    COMMENT ON COLUMN {tombstones}.id IS 'Number of the tombstone';
    COMMENT ON COLUMN {tombstones}.at IS 'When the row went, by the clock and not by the transaction';
    COMMENT ON COLUMN {tombstones}.relation IS 'Schema and name of the table; of a partition, those of its root';
    COMMENT ON COLUMN {tombstones}.key IS 'Key of the row, each part as text; NULL: TRUNCATE; empty: an installation';
    COMMENT ON COLUMN {tombstones}.routing IS 'What decided on the shard of its document; NULL: not known';
    COMMENT ON COLUMN {tombstones}.columns IS 'By which documents reach the row, each as text; NULL: not noted';
  END IF;
{added}  -- The triggers write with the privileges of the function's owner.
  IF NOT (has_schema_privilege(writer, {schema_name}, 'USAGE')
          AND has_table_privilege(writer, {tombstones_text}, 'INSERT')) THEN
    RAISE EXCEPTION USING
      ERRCODE = 'insufficient_privilege',
      MESSAGE = writer || {may_not_write};
  END IF;
END
"""

ADDED = """\
  -- Tombstones of an earlier version.
  IF NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass({tombstones_text}) AND attname = 'columns') THEN
    ALTER TABLE {tombstones} ADD COLUMN columns jsonb;
  END IF;
"""

#: All that the triggers of a table are, in one text; NULL: there are none.
STANDING = """(
    SELECT concat_ws(' ', prosrc, proconfig, (
             SELECT string_agg(concat_ws(' ', tgenabled, pg_get_triggerdef(oid)), ' ' ORDER BY tgrelid, tgname)
               FROM pg_trigger WHERE tgfoid = p.oid))
      FROM pg_proc AS p WHERE oid = to_regprocedure({function_text}))"""

COMPARED_WHY = """\
-- Where the triggers were not these before, they have not noted what happened: a tombstone with an empty key asks for
-- one comparison of each index with the table. Not with NULL, as TRUNCATE leaves one: that would empty the index where
-- the table is one that is still to be restored. Here, where all that has written is committed.
"""
COMPARED = """
BEGIN
  IF current_setting('syncer.triggers') IS DISTINCT FROM {standing} THEN
    INSERT INTO {tombstones} (relation, key) VALUES ({relation}, '{{}}');
  END IF;
END
"""

LAST = """
BEGIN
  IF to_regclass({tombstones_text}) IS NULL THEN
    RETURN;
  END IF;
  DELETE FROM {tombstones} WHERE relation = {relation};
  IF NOT EXISTS (SELECT FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
                  WHERE p.pronamespace = to_regnamespace({schema_text})) THEN
    -- What belongs to others stays: empty, it costs nothing.
    IF EXISTS (SELECT FROM pg_class
                WHERE oid = to_regclass({tombstones_text}) AND pg_has_role(relowner, 'USAGE')) THEN
      DROP TABLE {tombstones};
    END IF;
    IF obj_description(to_regnamespace({schema_text}), 'pg_namespace') = '{comment}'
       AND EXISTS (SELECT FROM pg_namespace WHERE nspname = {schema_name} AND pg_has_role(nspowner, 'USAGE'))
       AND NOT EXISTS (SELECT FROM pg_depend WHERE refobjid = to_regnamespace({schema_text})
                                               AND refclassid = 'pg_namespace'::regclass) THEN
      DROP SCHEMA {schema};
    END IF;
  END IF;
END
"""

FUNCTION_WHY = """\
-- SECURITY DEFINER: whoever may delete from the table needs no privilege on the tombstones. So nothing in it is looked
-- up in a schema that others can write to.
"""
FUNCTION = """\
CREATE OR REPLACE FUNCTION {function}() RETURNS trigger
LANGUAGE plpgsql
SECURITY DEFINER
{settings}
AS {body};
-- Nobody else makes triggers with it. Who owns the table does, by creating partitions.
REVOKE ALL ON FUNCTION {function}() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION {function}() TO {owner};"""

BODY = """
BEGIN
  IF TG_OP = 'TRUNCATE' THEN
    INSERT INTO {tombstones} (relation) VALUES (TG_ARGV[0]);
  ELSIF TG_OP = 'DELETE' THEN
    INSERT INTO {tombstones} ({columns}) VALUES
      {old};
{unstamped}  ELSE
    -- The new key too, for the update may have left the watermark as it was.
    INSERT INTO {tombstones} ({columns}) VALUES
      {old},
      {new};
  END IF;
  RETURN NULL;
END
"""
UNSTAMPED = """\
  ELSIF TG_OP = 'INSERT' THEN
    INSERT INTO {tombstones} ({columns}) VALUES
      {new};
  ELSIF NOT ({changed}) THEN
    -- The old values are the new ones.
    INSERT INTO {tombstones} ({columns}) VALUES
      {old};
"""

WAKEUP_WHY = """\
-- Tells at the commit that the table has changed, so that polls need not wait for their time. Postgres sends equal
-- notifications of one transaction once. A transaction that has notified cannot be prepared for two-phase commit.
-- Not pg_notify(): where EXECUTE on it was revoked, no write to the table would succeed.
"""
WAKEUP_BODY = """
BEGIN
  NOTIFY {channel}, {table};
  RETURN NULL;
END
"""
