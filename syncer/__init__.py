"""Keep an Elasticsearch index equal to Postgres tables, and prove it."""

from __future__ import annotations

__version__ = "0.1.0"
