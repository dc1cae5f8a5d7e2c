"""SQL that people may read before it runs, and may run in syncer's place."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from syncer.adapters.postgres.advisory_lock import AdvisoryLock
from syncer.adapters.postgres.session import Session, reason_of, sqlstate
from syncer.core.error import AccessDenied, SourceUnavailable


class Script:
    """Statements that run in one transaction."""

    def __init__(self, *statements: str) -> None:
        self._statements = statements

    def __str__(self) -> str:
        return "\n\n".join(["BEGIN;", *self._statements, "COMMIT;"])

    def __add__(self, other: Script) -> Script:
        return Script(*self._statements, *other._statements)

    def run(self, session: Session, lock: AdvisoryLock, *, denied: str) -> None:
        """Run it once nobody else holds the lock; denied: the hint where a privilege is missing.

        Raises AccessDenied, and SourceUnavailable where a lock on a table is not to be had in time.
        """
        with session.transaction() as connection:
            connection.execute(text("SET TRANSACTION READ WRITE"))
            lock.wait_for_transaction(connection)
            try:
                for statement in self._statements:
                    # Without parameters a percent sign is one.
                    connection.exec_driver_sql(statement, execution_options={"no_parameters": True})
            except DBAPIError as error:
                reason = f"{session.setting}: {reason_of(error)}"
                if sqlstate(error) == "42501":
                    raise AccessDenied(reason, hint=denied) from error
                if sqlstate(error) == "55P03":
                    raise SourceUnavailable(reason, hint="somebody uses the table; try again") from error
                raise
