"""Runs migrations on the connection, and in the schema, that `syncer.adapters.postgres.migrate` hands over."""

from __future__ import annotations

from alembic import context

attributes = context.config.attributes
context.configure(connection=attributes["connection"], version_table_schema=attributes["schema"])
context.run_migrations(schema=attributes["schema"])
