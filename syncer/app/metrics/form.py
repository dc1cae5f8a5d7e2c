"""What `syncer metrics` prints."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """What to print."""

    #: A table in Markdown.
    REFERENCE = "reference"
    #: For Grafana to import.
    DASHBOARD = "dashboard"
    #: For Prometheus to load.
    RULES = "rules"
