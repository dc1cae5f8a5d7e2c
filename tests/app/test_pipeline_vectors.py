"""The names of fields that hold vectors."""

from __future__ import annotations

from typing import Any

import pytest

from syncer.app.pipeline_settings import PipelineSettings
from syncer.app.pipeline_vectors import pipeline_vectors
from syncer.core.error import ConfigurationError
from syncer.core.field import Field, VectorField

TITLE = Field("title", "title", "text")


def vectors(*embeddings: dict[str, Any]) -> list[VectorField]:
    settings = PipelineSettings.model_validate({"table": "articles", "embedding": list(embeddings)})
    return list(pipeline_vectors("articles", settings, [TITLE, Field("a.b", "b", "text")], lambda: 4))


def test_vectors_may_lie_in_an_object() -> None:
    """Whose other fields are values of columns."""
    assert [vector.name for vector in vectors({"text": "{title}", "field": "a.vector"})] == ["a.vector"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("title", "title is a field already"),
        ("_syncer", "the field name '_syncer' is a name that Elasticsearch or syncer keeps for itself"),
        (" ", "the field name ' ' is empty"),
        ("x" * 64, "is longer than 63 bytes"),
        ("a", "a and the field a.b would lie in each other"),
        ("title.vector", "title.vector and the field title would lie in each other"),
    ],
)
def test_a_name_that_no_index_could_have_is_refused(name: str, said: str) -> None:
    """Naming the setting, and the other field."""
    with pytest.raises(ConfigurationError) as error:
        vectors({"text": "{title}"}, {"text": "{title}", "field": name})
    assert "pipelines.articles.embedding[1].field: " in error.value.message
    assert said in error.value.message


def test_one_embedding_cannot_lie_in_another() -> None:
    """As `embedding.vector` would in one that is cut into pieces."""
    with pytest.raises(ConfigurationError, match=r"embedding and the field embedding\.vector would lie in each other"):
        vectors({"text": "{title}"}, {"text": "{title}", "field": "embedding.vector"})
