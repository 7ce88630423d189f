"""Signed-in browsers at the grader's pages. The id is in the browser's cookie only; here is its SHA-256."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select

from grader.store.tables import page_session


class Sessions:
    """Who is signed in, by the hash of a session's id."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, id_sha256: str, person: str, hub_token: str, now: datetime, expires_at: datetime) -> None:
        """Store a session; those that have expired go."""
        self._connection.execute(delete(page_session).where(page_session.c.expires_at <= now))
        self._connection.execute(
            insert(page_session).values(id_sha256=id_sha256, person=person, hub_token=hub_token, expires_at=expires_at)
        )

    def find(self, id_sha256: str, now: datetime) -> tuple[str, str] | None:
        """Name and JupyterHub token of a session that has not expired."""
        row = self._connection.execute(
            select(page_session.c.person, page_session.c.hub_token).where(
                page_session.c.id_sha256 == id_sha256, page_session.c.expires_at > now
            )
        ).first()
        return None if row is None else (row.person, row.hub_token)

    def remove(self, id_sha256: str) -> None:
        self._connection.execute(delete(page_session).where(page_session.c.id_sha256 == id_sha256))
