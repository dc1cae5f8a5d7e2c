"""What mkdocs does with pages beyond its own."""

from __future__ import annotations

import re

_CODE_IN_CELL = re.compile(r"(?<=<code>)[^<]*\\\|[^<]*(?=</code>)")


def on_page_content(html: str, **_: object) -> str:
    """Show `\\|` in the code of a table's cell as the bar that it stands for; GitHub needs the backslash."""
    return _CODE_IN_CELL.sub(lambda code: code[0].replace("\\|", "|"), html)
