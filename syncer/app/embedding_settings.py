"""The settings of the vectors that a pipeline makes of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, field_validator, model_validator

from syncer.app.setting_type import BLANK_IS_NONE, Misplaced, Section, placeholders
from syncer.core.vector import Chunks

#: Where a setting stands in the pipeline's.
Place = tuple[str | int, ...]


class ChunkSettings(Section):
    """Long texts are cut into pieces, at the ends of sentences where these are near, and each piece is embedded. A
    document is found by its best piece."""

    tokens: int = Field(default=256, ge=32, le=32_768)
    """Of the longest piece, its prompt and the model's special tokens included; no more than the model reads at once.
    With `http` it is estimated: a token for three characters of ASCII, and for any other character."""
    overlap: int = Field(default=32, ge=0)
    """Tokens at the end of a piece that the next one begins with; less than half of `tokens`."""
    pool: Annotated[Literal["mean"] | None, BLANK_IS_NONE] = None
    """`mean`: the document has one vector, the mean of those of the pieces; left out: it has one for each piece, in
    nested objects."""

    @property
    def chunks(self) -> Chunks:
        return Chunks(self.tokens, self.overlap, mean=self.pool == "mean")

    @model_validator(mode="after")
    def _overlapping(self) -> Self:
        if 2 * self.overlap >= self.tokens:
            raise Misplaced(
                "overlap", f"must be less than half of tokens, which is {self.tokens}; it is {self.overlap}"
            )
        return self


class EmbeddingSettings(Section):
    """A vector made of the row's text. Several, each of a field of its own, are a list of such sections."""

    text: str
    """What to embed: field names in braces, `"{title}\\n\\n{body}"`; doubled braces stand for themselves."""
    field: str = Field(default="embedding", min_length=1)
    """The field that holds the vector."""
    index: Literal["int8_hnsw", "hnsw", "int4_hnsw", "bbq_hnsw", "flat"] = "int8_hnsw"
    """How Elasticsearch searches vectors; their sizes, speeds and recall are in
    [performance](performance.md#vectors). `bbq_hnsw` needs Elasticsearch 8.18."""
    similarity: Literal["cosine", "dot_product", "l2_norm", "max_inner_product"] = "cosine"
    """What makes two vectors near. Unless `embedding.normalise` is false, all four rank alike: vectors are of length
    one."""
    chunk: ChunkSettings | None = None

    @field_validator("text")
    @classmethod
    def _template(cls, value: str) -> str:
        if not placeholders(value):
            raise ValueError('names no field; write for example "{title}\\n\\n{body}"')
        return value


#: In the places of errors, behind `embedding`: which of both it was taken for.
ONE, SEVERAL = "[one]", "[several]"

EmbeddingSections = Annotated[
    Annotated[EmbeddingSettings, Tag(ONE)]
    | Annotated[tuple[EmbeddingSettings, ...], Field(min_length=1), Tag(SEVERAL)],
    Discriminator(lambda value: SEVERAL if isinstance(value, list | tuple) else ONE),
]


def by_place(sections: EmbeddingSections | None) -> Mapping[Place, EmbeddingSettings]:
    """Return each section by its place."""
    if sections is None:
        return {}
    if isinstance(sections, EmbeddingSettings):
        return {("embedding",): sections}
    return {("embedding", number): of for number, of in enumerate(sections)}
