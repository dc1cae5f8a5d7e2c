"""What all parts of a request share: no field that is not known, and a bound on every length."""

from __future__ import annotations

import math
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, StrictBool, StrictFloat, StrictInt, StringConstraints
from pydantic_core import PydanticCustomError

from syncer.app.api.limits import NAME_CHARACTERS
from syncer.core.search.limit import VALUE_MAX


class Body(BaseModel):
    """A part of a request."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


#: A field's path in the document.
Path = Annotated[str, StringConstraints(min_length=1, max_length=NAME_CHARACTERS)]
Text = Annotated[str, StringConstraints(max_length=VALUE_MAX)]
#: What Elasticsearch takes for a whole number.
_INTEGERS = range(-(2**63), 2**64)


def _scalar(value: object) -> object:
    """Tell in one sentence what is wrong with a value: pydantic has one for each type that it might have been."""
    if isinstance(value, str) and len(value) > VALUE_MAX:
        raise PydanticCustomError("value", f"must have at most {VALUE_MAX} characters")
    if isinstance(value, float) and not math.isfinite(value):
        raise PydanticCustomError("value", "must be a finite number")
    if isinstance(value, int) and value not in _INTEGERS:
        raise PydanticCustomError("value", "must be a number of at most 64 bits")
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("value", "must be a text, a number, true or false")
    return value


Value = Annotated[StrictBool | StrictInt | StrictFloat | Text, BeforeValidator(_scalar)]
