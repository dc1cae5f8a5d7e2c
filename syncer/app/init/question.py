"""Questions, and who answers them."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from syncer.core.error import ConfigurationError

T = TypeVar("T")
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked; the answer is a text."""

    text: str
    #: What --yes answers, and an empty line.
    default: str = ""
    #: The answer is not shown while it is typed.
    secret: bool = False


#: Raises ConfigurationError where nobody can answer.
Ask = Callable[[Question], str]


def by_default(question: Question) -> str:
    """Answer as --yes does."""
    return question.default


def on_terminal(question: Question) -> str:
    """Ask the person at the terminal, on standard error: the file may go to standard output."""
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "init asks questions, and there is no terminal",
            hint="--yes takes the best choices; --table names the tables",
        )
    import typer

    answer: str = typer.prompt(
        question.text,
        default=question.default,
        hide_input=question.secret,
        show_default=bool(question.default),
        err=True,
    )
    return answer.strip()


def answered(ask: Ask, question: Question, understood: Callable[[str], T], tell: Callable[[str], None]) -> T:
    """Return what an answer means; one that means nothing is asked for again. Raises the last ConfigurationError."""
    for _ in range(_TRIES - 1):
        answer = ask(question)
        try:
            return understood(answer)
        except ConfigurationError as error:
            tell(f"{error.message}{': ' if error.hint else ''}{error.hint}")
    return understood(ask(question))


def agreed(ask: Ask, text: str, *, default: bool) -> bool:
    """Ask a question that is answered by yes or no."""
    return ask(Question(f"{text} (y/n)", "y" if default else "n")).lower() in {"y", "yes"}
