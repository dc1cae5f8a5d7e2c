"""What a role is for."""

from __future__ import annotations

from enum import StrEnum


class Purpose(StrEnum):
    """In the order in which somebody needs them."""

    #: `syncer migrate`: owns the tables of the state.
    MIGRATE = "migrate"
    #: The daemon, and every command but `migrate` and `install-triggers`.
    RUN = "run"
    #: `serve`, `search`, `status`, `indices`, `cluster`: changes nothing.
    SERVE = "serve"
    #: `install-triggers` and `remove-triggers`, as the owner of the tables.
    TRIGGERS = "triggers"
