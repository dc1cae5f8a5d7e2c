"""Every error syncer raises on purpose, in the four groups that the engine acts on.

    SyncerError(message, hint)
    ├── ConfigurationError        the settings or what they name are wrong: exit, never retried
    │   ├── CredentialsRefused
    │   └── RequestInvalid
    ├── TransientError            passes by itself: back off, start again from the checkpoint
    │   ├── SourceUnavailable
    │   ├── StateUnavailable
    │   ├── SinkUnavailable
    │   └── EmbedderUnavailable
    ├── FatalError                stops this pipeline, keeps the others
    │   ├── AccessDenied
    │   ├── SchemaMismatch
    │   ├── IndexMissing
    │   ├── IndexReplaced
    │   ├── FingerprintMismatch
    │   ├── Paused
    │   ├── TooManyRejections
    │   ├── TooManyDeletions
    │   └── LifecycleRefused
    └── LeaseError                stop writing at once
        ├── LeaseHeld
        └── LeaseLost

Trouble with a single row is never an error but an outcome (`core.outcome.Rejected`).
"""

from __future__ import annotations


class SyncerError(Exception):
    """Base of all of them; `hint` tells the operator what to do next."""

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.hint}" if self.hint else self.message


class ConfigurationError(SyncerError):
    """A setting, or the table, column, model or server that it names, is wrong."""


class CredentialsRefused(ConfigurationError):
    """A server answers, but does not know this user, password or key."""


class RequestInvalid(ConfigurationError):
    """A search cannot be meant as it stands; `part` is what of it, like `sort.0.field`."""

    def __init__(self, part: str, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.part = part


class TransientError(SyncerError):
    """Something is away for now; `retry_after` is how long the other side asked to be left alone, in seconds."""

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class SourceUnavailable(TransientError):
    """The source database does not answer."""


class StateUnavailable(TransientError):
    """The state database does not answer."""


class SinkUnavailable(TransientError):
    """Elasticsearch does not answer, or too slowly."""


class EmbedderUnavailable(TransientError):
    """The embedding backend does not answer."""


class FatalError(SyncerError):
    """This pipeline cannot go on until somebody acts."""


class AccessDenied(FatalError):
    """The credentials are known, but lack a privilege."""


class SchemaMismatch(FatalError):
    """The source no longer has the table or column that the pipeline reads."""


class IndexMissing(FatalError):
    """The physical index, or its write alias, is gone."""


class IndexReplaced(FatalError):
    """The physical index is another one than the checkpoint was made for."""


class FingerprintMismatch(FatalError):
    """The index was built from another configuration."""


class Paused(FatalError):
    """Somebody has paused the pipeline."""


class TooManyRejections(FatalError):
    """More open dead letters than `limits.rejections` allows."""


class TooManyDeletions(FatalError):
    """A repair would delete more of an index than `limits.delete_ratio` allows."""


class LifecycleRefused(FatalError):
    """Elasticsearch will not do with an ageing index what is asked for; following the index need not stop for that."""


class LeaseError(SyncerError):
    """This process does not hold the pipeline."""


class LeaseHeld(LeaseError):
    """Another process holds the lease."""


class LeaseLost(LeaseError):
    """The lease was held and is gone; nothing may be written any more."""
