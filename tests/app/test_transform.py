"""Loading the function that `transform` names, and a pipeline that has one."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from syncer.adapters.memory.clock import MemoryClock
from syncer.app.settings import Settings
from syncer.app.transform import load_transform
from syncer.app.wiring import Application
from syncer.core.change import Draft
from syncer.core.error import ConfigurationError
from syncer.transform import Declaration, transform
from tests.app.deployment import Deployment

SETTING = "pipelines.articles.transform"
PAGE = Path(__file__).parents[2] / "docs" / "transform.md"


@pytest.fixture(autouse=True)
def modules() -> Iterator[None]:
    """What is imported, and from where, as it was."""
    path, known = sys.path[:], set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - known:
        if name.startswith("shelf"):
            del sys.modules[name]


def write(folder: Path, text: str, name: str = "shelf") -> Path:
    file = folder / f"{name}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(dedent(text))
    return file


def test_a_plain_function_of_the_folder_is_loaded(tmp_path: Path) -> None:
    """It takes one document, and is of version 1; its module may import its neighbours when it is called."""
    write(tmp_path, "PRICE = 5", "shelf_price")
    file = write(
        tmp_path,
        """
        def enrich(document):
            from shelf_price import PRICE
            return {**document, "price": PRICE}
        """,
    )
    loaded = load_transform("shelf:enrich", tmp_path, setting=SETTING)
    assert (loaded.declaration, loaded.file) == (Declaration(1, batch=False), str(file))
    assert loaded.description == {"function": "shelf:enrich", "version": 1}
    assert loaded.transform.of([Draft(("1",), '{"a":1}', 0, {})]) == ['{"a":1,"price":5}']


def test_a_declared_batch_function_of_a_package_is_called_with_a_list(tmp_path: Path) -> None:
    """With the version that it declares."""
    write(tmp_path / "shelves", "", "__init__")
    write(
        tmp_path / "shelves",
        """
        from syncer.transform import Document, transform

        @transform(version="2026-11", batch=True)
        def count(documents: list[Document]) -> list[Document]:
            return [{"n": len(documents)} for _ in documents]
        """,
        "all",
    )
    loaded = load_transform("shelves.all:count", tmp_path, setting=SETTING)
    assert loaded.description == {"function": "shelves.all:count", "version": "2026-11"}
    assert loaded.transform.of([Draft((i,), "{}", 0, {}) for i in "ab"]) == ['{"n":2}', '{"n":2}']


def test_the_functions_of_the_page_can_be_copied(tmp_path: Path) -> None:
    """The first one as it stands; the other one needs a model."""
    first, second = (part.split("```")[0] for part in PAGE.read_text(encoding="utf-8").split("```python\n")[1:])
    write(tmp_path, first, "shelf_one")
    write(tmp_path, second, "shelf_many")
    one = load_transform("shelf_one:enrich", tmp_path, setting=SETTING)
    bodies = ['{"status":"draft"}', '{"status":"out","body":"two words"}']
    assert one.transform.of([Draft((body,), body, 0, {}) for body in bodies]) == [None, f'{bodies[1][:-1]},"words":2}}']
    many = load_transform("shelf_many:classify", tmp_path, setting=SETTING)
    assert (one.declaration, many.declaration) == (Declaration(2, batch=False), Declaration(1, batch=True))


def test_a_decorated_function_can_be_called_as_before() -> None:
    """So that it can be tested."""

    @transform(version=3)
    def same(document: dict[str, int]) -> dict[str, int]:
        return document

    assert same({"a": 1}) == {"a": 1}


def test_a_version_that_is_neither_number_nor_text_is_refused() -> None:
    """It has to be kept with the index."""
    with pytest.raises(TypeError, match="version must be"):
        transform(version=[1])  # type: ignore[call-overload]


def test_a_file_of_the_folder_does_not_take_the_place_of_an_installed_module(tmp_path: Path) -> None:
    """syncer imports some of them late."""
    write(tmp_path, "def dumps(document): return document", "json")
    loaded = load_transform("json:dumps", tmp_path, setting=SETTING)
    assert loaded.file is not None
    assert not loaded.file.startswith(str(tmp_path))


@pytest.mark.parametrize(
    ("reference", "module", "message", "hint"),
    [
        ("shelf_gone:f", "", "there is no module shelf_gone", "start syncer in its folder"),
        ("shelf.gone:f", "", "there is no module shelf.gone", "start syncer in its folder"),
        ("shelf:f", "import shelf_gone", "cannot be imported: ModuleNotFoundError: No module named 'shelf_gone'", "-c"),
        (
            "shelf:f",
            "1 / 0",
            "shelf cannot be imported: ZeroDivisionError: division by zero",
            "-c 'import shelf'",
        ),
        ("shelf:f", "def f(:", "shelf cannot be imported: SyntaxError: invalid syntax", "-c 'import shelf'"),
        ("shelf:enrihc", "def enrich(d): ...", "module shelf has no function enrihc", "did you mean enrich?"),
        ("shelf:f", "f = 1", "f in module shelf is of type int", "name a function"),
        ("shelf:f", "async def f(d): ...", "f in module shelf is an async function", "name a function"),
        ("shelf:f", "from syncer.transform import transform\n@transform\ndef f(d): ...", "TypeError", "-c"),
    ],
)
def test_what_cannot_be_loaded_is_told_with_the_setting_and_what_to_do(
    reference: str, module: str, message: str, hint: str, tmp_path: Path
) -> None:
    """A mistake of the configuration, or of the module."""
    write(tmp_path, module)
    with pytest.raises(ConfigurationError) as caught:
        load_transform(reference, tmp_path, setting=SETTING)
    assert caught.value.message.startswith(f"{SETTING}: ")
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_function_is_loaded_once_also_after_the_configuration_was_read_again(tmp_path: Path) -> None:
    """Two pipelines that share one share the lock that keeps it from being called twice at once."""
    write(tmp_path, "def f(document): return document")
    (tmp_path / "syncer.yaml").write_text(
        dedent("""
        source: {url: "postgresql://localhost/shop"}
        elasticsearch: {hosts: http://localhost:9200}
        pipelines:
          articles: {table: articles, transform: "shelf:f"}
          books: {table: books, transform: "shelf:f"}
          plain: {table: plain}
        """)
    )
    settings = Settings.load(tmp_path / "syncer.yaml", {})
    with contextlib.chdir(tmp_path):
        application = Application(settings, MemoryClock())
        loaded = application.transform("articles")
        assert loaded is not None
        assert application.transform("books") is loaded is application.renewed(settings).transform("articles")
        assert application.transform("plain") is None


def test_a_pipeline_with_a_transform_from_check_to_verify(deployment: Deployment) -> None:
    """The function is found, fills a field, leaves rows out, and refuses one; another version asks for a rebuild."""
    file = write(
        deployment.folder,
        """
        from syncer.transform import transform

        @transform(version=2)
        def measure(document):
            if document["title"] == "draft":
                return None
            document["words"] = len(document["title"].split())
            document["ratio"] = 1 / int(document["price"])
            return document
        """,
    )
    fields = {
        "title": "text",
        "price": "integer",
        "words": {"column": "title", "type": "integer"},
        "ratio": {"column": "price", "type": "double"},
    }
    deployment.configure(fields=fields, transform="shelf:measure")
    deployment.sql("INSERT INTO articles VALUES (1, 'red apple', '4'), (2, 'draft', '4'), (3, 'pear', '0')")
    with contextlib.chdir(deployment.folder):
        assert deployment.run("migrate")[0] == 0
        assert deployment.run("install-triggers", "articles")[0] == 0
        code, checked = deployment.json("check")
        assert code == 0
        (told,) = [finding["what"] for finding in checked["findings"] if finding["setting"] == SETTING]
        assert told == f"shelf:measure, version 2, from {file}"
        code, ran = deployment.json("run", "--once")
        assert (code, ran["rejected"]) == (1, 1)
        alias = f"{deployment.prefix}-articles"
        deployment.elastic.client.indices.refresh(index=alias)
        hits = deployment.elastic.client.search(index=alias)["hits"]["hits"]
        (source,) = [hit["_source"] for hit in hits]
        del source["_syncer"]
        assert source == {"title": "red apple", "price": "4", "words": 2, "ratio": 0.25}
        code, out, _ = deployment.run("dead-letters", "show", "articles", "3")
        assert code == 0
        assert f'  File "{file}", line 9, in measure' in out.replace("reason  ", "")
        assert len([line for line in out.splitlines() if line.strip() == "ZeroDivisionError: division by zero"]) == 1
        deployment.sql("UPDATE articles SET price = '2' WHERE id = 3")
        assert deployment.run("run", "--once")[0] == 0
        for options in ([], ["--deep"]):
            code, found = deployment.json("verify", "articles", *options)
            assert (code, found["source_rows"], found["left_out"], found["indexed"]) == (0, 2, 1, 2)
        deployment.sql("UPDATE articles SET title = 'draft' WHERE id = 3")
        assert deployment.run("run", "--once")[0] == 0
        code, found = deployment.json("verify", "articles", "--deep")
        assert (code, found["source_rows"], found["left_out"], found["indexed"]) == (0, 1, 2, 1)

        deployment.configure(fields=fields, transform="json:loads")
        code, _, err = deployment.run("run", "--once")
        assert code == 4
        assert "transform: function is shelf:measure, configured json:loads; transform: version is 2, conf" in err
        deployment.configure(fields=fields, transform="shelf:gone")
        code, checked = deployment.json("check")
        errors = [finding for finding in checked["findings"] if finding["severity"] == "error"]
        assert (code, [error["setting"] for error in errors]) == (2, [SETTING])
