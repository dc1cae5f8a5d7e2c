"""How long what names something may be; how much a search may ask for says `core.search.limit`."""

from __future__ import annotations

#: A field's path, or what else is short.
NAME_CHARACTERS = 1000
#: A point in time over many shards takes some thousands.
CURSOR_CHARACTERS = 32_768
REQUEST_ID_CHARACTERS = 64
