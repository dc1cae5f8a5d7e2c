"""Names of tables, as the configuration takes them."""

from __future__ import annotations

import re

from syncer.adapters.postgres.survey import Found
from syncer.adapters.postgres.tables import qualified


def table_setting(table: Found) -> str:
    """Return `schema.table`, quoted where it has to be."""
    plain = all(re.fullmatch(r"[A-Za-z_]\w*", part, re.ASCII) for part in table.place)
    return str(table) if plain else qualified(*table.place)
