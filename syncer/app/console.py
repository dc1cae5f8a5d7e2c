"""What is printed for people: words of others, such as names of tables, are shown and never obeyed."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from syncer.app.printable import printable_lines


class SafeConsole(Console):
    """Escapes what a terminal would obey, whatever the text was put together from."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        # The one place that every text goes through, and before the console's own colours, which a terminal is to obey.
        for text, style, control in super().render(renderable, options):
            yield Segment(text if control else printable_lines(text), style, control)
