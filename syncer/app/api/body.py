"""What all parts of a request share: no field that is not known, and a bound on every length."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictFloat, StrictInt, StringConstraints

from syncer.app.api.limits import NAME_CHARACTERS
from syncer.core.search.limit import VALUE_MAX


class Body(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


#: A field's path in the document.
Path = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS)]
Text = Annotated[str, StringConstraints(max_length=VALUE_MAX)]
#: What Elasticsearch takes for a whole number.
_Integer = Annotated[StrictInt, Field(ge=-(2**63), le=2**64 - 1)]
Value = StrictBool | _Integer | StrictFloat | Text
