"""The schema, brought up to date by numbered SQL files that run once each."""

import hashlib
import re
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import LiteralString, cast

import msgspec
import psycopg

from core.database.pool import conninfo, unreachable
from core.errors import Misconfigured

OLDEST_SERVER = 150_000
LOCK: LiteralString = "SELECT pg_advisory_lock(hashtextextended('fingerpost schema_migrations', 0))"
TABLE: LiteralString = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version    integer PRIMARY KEY,
    name       text NOT NULL,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)
"""
APPLIED: LiteralString = "SELECT version, name, checksum FROM schema_migrations ORDER BY version"
RECORD: LiteralString = "INSERT INTO schema_migrations (version, name, checksum) VALUES (%s, %s, %s)"
Connection = psycopg.Connection[tuple[object, ...]]


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file `NNNN_name.sql`."""

    version: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """The SHA-256 of the text; how its lines end does not count."""
        return hashlib.sha256(self.sql.replace("\r\n", "\n").encode()).hexdigest()


def migrate(url: str, folder: Traversable | None = None) -> list[str]:
    """Apply what the database lacks, in order, each file in a transaction of its own; gives the names applied.

    Several processes may do so at a time: one works, the others wait and find nothing to do. Raises Misconfigured
    when an applied file was edited, when the database is newer than the program, when the files are numbered
    wrongly, or when PostgreSQL is too old or not to be reached.
    """
    migrations = read_migrations(folder or files("core.database").joinpath("migrations"))
    try:
        connection = psycopg.connect(conninfo(url, name="fingerpost migrate"), autocommit=True)
    except psycopg.OperationalError as error:
        raise unreachable(url, error) from error
    with connection:
        if connection.info.server_version < OLDEST_SERVER:
            shown = connection.info.parameter_status("server_version")
            raise Misconfigured(f"PostgreSQL 15 or later is needed, and DATABASE_URL leads to {shown}.")
        connection.execute(LOCK)  # let go when the connection ends
        pending = _pending(connection, migrations)
        for migration in pending:
            _apply(connection, migration)
    return [migration.name for migration in pending]


def read_migrations(folder: Traversable) -> list[Migration]:
    """The migrations in a folder, by version; Misconfigured for a `.sql` file that is not numbered, or not alone."""
    found: dict[int, Migration] = {}
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if not file.name.endswith(".sql"):
            continue
        match = re.fullmatch(r"(\d{4})_\w+\.sql", file.name)
        if match is None:
            raise Misconfigured(f"The migration {file.name} has to be named like 0001_name.sql.")
        version = int(match[1])
        if version in found:
            raise Misconfigured(f"The migrations {found[version].name} and {file.name} have the same number.")
        found[version] = Migration(version=version, name=file.name.removesuffix(".sql"), sql=file.read_text("utf-8"))
    return [found[version] for version in sorted(found)]


def _pending(connection: Connection, migrations: list[Migration]) -> list[Migration]:
    """The migrations that are still to be applied, once it is sure that the rest of history agrees."""
    connection.execute(TABLE)
    known = {migration.version: migration for migration in migrations}
    last = 0
    for row in connection.execute(APPLIED).fetchall():
        version, name, checksum = cast(tuple[int, str, str], row)
        _check_applied(known.pop(version, None), name, checksum)
        last = version
    late = [migration.name for version, migration in known.items() if version < last]
    if late:
        raise Misconfigured(
            f"The migration {late[0]} comes before one that this database already has. Number it after {last:04}."
        )
    return list(known.values())


def _check_applied(file: Migration | None, name: str, checksum: str) -> None:
    if file is None:
        raise Misconfigured(
            f"The database has the migration {name}, which this version of Fingerpost does not know: a newer version "
            "has used it. Start that version, or restore a backup from before the upgrade."
        )
    if file.checksum != checksum:
        raise Misconfigured(
            f"The migration {name} was edited after this database had applied it. Put the file back as it was "
            "released, and make the change in a migration of its own."
        )


def _apply(connection: Connection, migration: Migration) -> None:
    try:
        with connection.transaction():
            connection.execute(migration.sql.encode())
            connection.execute(RECORD, [migration.version, migration.name, migration.checksum])
    except psycopg.Error as error:
        error.add_note(f"while applying the migration {migration.name}")
        raise
