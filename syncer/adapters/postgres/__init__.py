"""Postgres: the source of rows, and the state schema."""
