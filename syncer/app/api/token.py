"""Who asks, and what they may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from hmac import compare_digest

from syncer.app.api.error import ApiError, Trouble, forbidden
from syncer.app.serve_settings import TokenSettings
from syncer.core.search.condition import Condition, Term
from syncer.core.search.request import Request


@dataclass(frozen=True, slots=True)
class Access:
    """What one caller may see."""

    #: What logs call the token; None: there are no tokens.
    name: str | None = None
    #: None: all that are served.
    pipelines: frozenset[str] | None = None
    #: What every document meets that the caller is shown.
    conditions: tuple[Term, ...] = ()

    def within(self, conditions: Sequence[Condition]) -> tuple[Condition, ...]:
        """Return the caller's conditions with those that it is held to: beside them, so that nothing in them can take
        these back."""
        return (*conditions, *self.conditions)

    def may_count(self, field: str) -> bool:
        """Tell whether a facet on a field shows nothing but what the caller may see."""
        return not any(_overlap(field, held.field) for held in self.conditions)

    def held(self, request: Request) -> Request:
        """Return the request held to what the caller may see.

        Raises ApiError where its answer would tell of other documents: by counts, spellings or frequencies of words.
        """
        if not self.conditions:
            return request
        for name, facet in request.facets.items():
            # A facet counts without the conditions on its own field. Rejected: to count all and show what is allowed;
            # the commonest values may all be of others.
            if not self.may_count(facet.field):
                raise forbidden(f"facets.{name}.field", f"this token is held to some values of {facet.field}")
        for part in ("did_you_mean", "explain"):
            if getattr(request, part):
                raise forbidden(part, f"{part} tells of words in documents that this token may not see")
        return replace(request, conditions=self.within(request.conditions))


class Tokens:
    """The tokens of the settings."""

    def __init__(self, tokens: Sequence[TokenSettings]) -> None:
        #: What each may see, by the setting.
        self.by_setting = {
            f"serve.tokens[{number}]": Access(
                of.name or f"serve.tokens[{number}]",
                None if of.pipelines is None else frozenset(of.pipelines),
                tuple(Term(field, tuple(values)) for field, values in of.filter.items()),
            )
            for number, of in enumerate(tokens)
        }
        digests = [_digest(of.token.get_secret_value()) for of in tokens]
        self._known = list(zip(digests, self.by_setting.values(), strict=True))

    def access(self, given: str | None) -> Access:
        """Return what the bearer of a token may see. Raises ApiError where there is no such one."""
        if not self._known:
            return Access()
        if given is None:
            trouble = Trouble("unauthorized", "a token is needed", hint="send Authorization: Bearer TOKEN")
            raise ApiError(401, trouble, {"WWW-Authenticate": "Bearer"})
        digest = _digest(given)
        found: Access | None = None
        # All of them, each in constant time: how long it takes tells nothing of any.
        for known, access in self._known:
            if compare_digest(known, digest):
                found = access
        if found is None:
            trouble = Trouble("unauthorized", "the token is not known")
            raise ApiError(401, trouble, {"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return found


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogateescape")).digest()


def _overlap(one: str, other: str) -> bool:
    """Tell whether two paths are of one field: `tenant` and `tenant.keyword`."""
    return one == other or one.startswith(f"{other}.") or other.startswith(f"{one}.")
