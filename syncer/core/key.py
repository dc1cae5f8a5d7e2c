"""A row's key, as the text Postgres prints for each key column, and the document id made of it."""

from __future__ import annotations

#: One part per key column, as printed by Postgres. Compared for equality only: order among keys is the database's,
#: because collations differ from Python's order.
Key = tuple[str, ...]

#: Elasticsearch refuses longer ids.
DOCUMENT_ID_BYTES_MAX = 512


def document_id(key: Key) -> str:
    r"""Return the `_id` of a key: its parts joined by `|`, with `|` and `\` in them escaped by `\`. Injective."""
    if len(key) == 1:
        return key[0]
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in key)


def parse_document_id(text: str, parts: int) -> Key:
    """Return the key of a document id, for a key of so many parts. Raises ValueError where it does not have them."""
    if parts == 1:
        return (text,)
    found = [""]
    escaped = False
    for character in text:
        if escaped:
            found[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "|":
            found.append("")
        else:
            found[-1] += character
    if escaped or len(found) != parts:
        raise ValueError(f"{text!r} is not a key of {parts} parts joined by '|'")
    return tuple(found)
