"""${message}."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}


def upgrade(schema: str) -> None:
    ${upgrades if upgrades else "raise NotImplementedError"}


def downgrade(schema: str) -> None:
    ${downgrades if downgrades else "raise NotImplementedError"}
