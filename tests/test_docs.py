"""The pages of docs: their links lead somewhere, their configurations are valid, their command lines are understood."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer
import yaml
from typer.core import TyperGroup

from syncer.app.cli import app
from syncer.app.exit_code import ExitCode, worst
from syncer.app.invocation import Invocation
from syncer.app.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in sorted(DOCS.glob("*.md"))}
PAGES |= {name: (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CHANGELOG.md")}

#: Where a block is, to be told with a failure; its language and its text.
Block = tuple[str, str, str]
FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)


def blocks() -> Iterator[Block]:
    for page, text in PAGES.items():
        for found in FENCE.finditer(text):
            where = f"{page}:{text.count(chr(10), 0, found.start()) + 1}"
            content = found["text"]
            yield where, found["language"], dedent(content) if found["indent"] else content


BLOCKS = list(blocks())


# Links


def prose(text: str) -> str:
    """Return a page without its code."""
    return re.sub(r"(`+).+?\1", "", FENCE.sub("", text))


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    titles = re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_somewhere(page: str) -> None:
    """To a file that is there, and to a heading in it."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(PAGES[page])):
        link = urlsplit(target)
        if link.scheme:
            continue
        path = (ROOT / page).parent / link.path if link.path else ROOT / page
        if not path.exists() or (link.fragment and link.fragment not in anchors(path.read_text(encoding="utf-8"))):
            broken.append(target)
    assert broken == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_is_named_is_there(page: str) -> None:
    """In the repository, by its path."""
    named = re.findall(r"`((?:syncer|tests|migrations)/[\w/.-]+)`", PAGES[page])
    assert [path for path in named if not (ROOT / path).exists()] == []


# Configurations

#: What the first word of a file for another program may be.
FOREIGN = {"apiVersion", "services", "scrape_configs", "rule_files", "groups"}
MINIMAL = {"source": {"url": "postgresql://h/d"}, "elasticsearch": {"hosts": "http://h:9200"}}
VALUES = {
    "SYNCER_SOURCE_URL": "postgresql://h/d",
    "SYNCER_STATE_URL": "postgresql://h/d",
    "ELASTICSEARCH_URL": "http://h:9200",
}
VARIABLE = re.compile(r"\$\{(\w+)(?=[:}])")
FILE = re.compile(r"\$\{file:[^}]+\}")
#: May be a password, a token or an address.
SECRET = "https://h/a-secret"


def configuration(text: str) -> Mapping[str, Any] | None:
    """Return the whole file that a block is part of; None: it is for another program."""
    # A part of a pipeline is indented as it is there. As text, for `on` is no truth value here.
    whole = f"pipelines:\n  articles:\n{text}" if text.startswith(" ") else text
    part = yaml.load(whole, Loader=yaml.BaseLoader)
    if FOREIGN & part.keys():
        return None
    pipelines = {
        name: pipeline if {"table", "query"} & pipeline.keys() else {"table": "articles", **pipeline}
        for name, pipeline in part.get("pipelines", {"articles": {}}).items()
    }
    return {**MINIMAL, **part, "pipelines": pipelines}


@pytest.mark.parametrize(("where", "text"), [(where, text) for where, language, text in BLOCKS if language == "yaml"])
def test_every_configuration_is_valid(where: str, text: str, tmp_path: Path) -> None:
    """A part of one within the rest that it needs."""
    settings = configuration(text)
    if settings is None:
        return
    path = tmp_path / "syncer.yaml"
    path.write_text(FILE.sub(SECRET, json.dumps(settings)))
    assert Settings.load(path, {name: f"{SECRET}-{name}" for name in VARIABLE.findall(text)} | VALUES).pipelines


# Command lines

ROOT_COMMAND = typer.main.get_command(app)
#: Of a shell: what follows is another program, or a file.
ENDS = re.compile(r"\s(?:\||>|>>|2>|&&|&|;)(?:\s|$)")


def command_lines() -> Iterator[tuple[str, str]]:
    """Yield the calls of syncer in blocks of shell, and in indented ones."""
    for where, language, text in BLOCKS:
        if language == "sh":
            for line in text.replace("\\\n", " ").splitlines():
                if found := re.match(r"\s*(?:\$ )?(?:\w+=\S+ )*syncer (?P<arguments>.*)", line):
                    yield where, found["arguments"]
    for page, text in PAGES.items():
        for arguments in re.findall(r"^ {4}syncer (.*)$", FENCE.sub("", text), re.MULTILINE):
            yield page, arguments


@pytest.mark.parametrize(("where", "line"), list(command_lines()))
def test_every_command_line_is_understood(where: str, line: str) -> None:
    """Its command is there, with its options and arguments."""
    arguments = shlex.split(ENDS.split(f"{line} ")[0], comments=True)
    command: Any = ROOT_COMMAND
    context = command.make_context("syncer", arguments, obj=Invocation({}))
    while isinstance(command, TyperGroup):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def mentions() -> list[tuple[str, str]]:
    """Return the calls of syncer in running text: with placeholders, and brackets around what may be left out."""
    return sorted(
        {
            (page, " ".join(found.split()))
            for page, text in PAGES.items()
            for found in re.findall(r"`syncer ([a-z][^`]*)`(?! in `pg_stat_activity`)", FENCE.sub("", text))
        }
    )


@pytest.mark.parametrize(("page", "mention"), mentions())
def test_every_command_that_is_mentioned_is_there(page: str, mention: str) -> None:
    """And has the options that are named with it."""
    command: Any = ROOT_COMMAND
    options = {name for option in ROOT_COMMAND.params for name in option.opts}
    for word in mention.split():
        if isinstance(command, TyperGroup) and word in command.commands:
            command = command.commands[word]
    assert command is not ROOT_COMMAND, f"there is no such command: {mention}"
    options |= {name for option in command.params for name in option.opts} | {"--help"}
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", mention)) - options == set()


# The site


def pages_of(nav: Any) -> Iterator[str]:
    match nav:
        case str():
            yield nav
        case dict():
            for part in nav.values():
                yield from pages_of(part)
        case _:
            for part in nav:
                yield from pages_of(part)


def test_every_page_has_its_place() -> None:
    """In the navigation of the site, once."""
    placed = list(pages_of(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"]))
    assert sorted(placed) == sorted(path.name for path in DOCS.glob("*.md"))


def test_the_site_is_built_and_loads_nothing_from_elsewhere(tmp_path: Path) -> None:
    """Without a warning, and without a font, a script or a picture of another host."""
    build = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    built = [path for path in tmp_path.rglob("*") if path.suffix in {".html", ".css", ".svg"}]
    assert len(built) > len(list(DOCS.glob("*.md")))
    loaded = re.compile(r"<(?!a\b)\w+[^>]*\s(?:src|href)=[\"']?(?:https?:)?//|url\([\"']?(?:https?:)?//|@import")
    assert [path.name for path in built if loaded.search(path.read_text(encoding="utf-8"))] == []


def test_the_page_of_exit_codes_has_those_that_there_are() -> None:
    """With their names, and which of several counts."""
    text = PAGES["docs/exit-codes.md"]
    told = re.findall(r"^\| (\d) \| `(\w+)` \|", text, re.MULTILINE)
    assert told == [(str(code.value), code.name) for code in ExitCode]
    order = re.search(r"in this order: ([\d, ]+)\.", text)
    assert order is not None
    graver = [ExitCode(int(code)) for code in order[1].split(", ")]
    assert sorted(graver) == sorted(ExitCode)
    assert [worst(graver[at:]) for at in range(len(graver))] == graver
