"""SQL that lives in a `.sql` file beside its module and is asked for by name."""

import difflib
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, LiteralString

NAME = re.compile(r"^--[ \t]*name:[ \t]*(\w+)[ \t]*$", re.MULTILINE)


class Queries(Mapping[str, LiteralString]):
    """The queries of one file.

    Each begins with a line `-- name: take`; comment lines right below it are its documentation and not sent. An
    unknown name is a KeyError that tells the file and the nearest name.
    """

    def __init__(self, text: str, source: str) -> None:
        """Parse; ValueError for a name that comes twice, one without SQL, or SQL before the first name."""
        self.source = source
        self._sql: dict[str, LiteralString] = {}
        self._docs: dict[str, str] = {}
        before, *parts = NAME.split(text)
        if _split(before)[1]:
            raise ValueError(f"{source}: there is SQL before the first `-- name:`.")
        for name, part in zip(parts[::2], parts[1::2], strict=True):
            doc, sql = _split(part)
            if not sql or name in self._sql:
                raise ValueError(f"{source}: the query {name!r} {'comes twice' if sql else 'is empty'}.")
            literal: Any = sql  # the file is a part of the program, as a literal is
            self._sql[name] = literal
            self._docs[name] = doc

    def __getitem__(self, name: str) -> LiteralString:
        try:
            return self._sql[name]
        except KeyError:
            near = difflib.get_close_matches(name, self._sql, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise KeyError(f"{self.source} has no query {name!r}{hint}") from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._sql)

    def __len__(self) -> int:
        return len(self._sql)

    def doc(self, name: str) -> str:
        """The comment under the name, or an empty string."""
        self[name]
        return self._docs[name]


@cache
def queries(package: str, file: str = "queries.sql") -> Queries:
    """The queries in a file of a package, read when they are first asked for: `queries("core.ledger")["take"]`."""
    return Queries(files(package).joinpath(file).read_text("utf-8"), f"{package}/{file}")


def _split(part: str) -> tuple[str, str]:
    """The comment lines at the head, and the SQL after them without its last semicolon.

    It is sent without indentation and comment lines: what is longer than psycopg cares to remember (4,096 characters)
    would be taken apart anew for each call.
    """
    lines = part.strip().splitlines()
    count = next((i for i, line in enumerate(lines) if line.strip() and not line.startswith("--")), len(lines))
    doc = "\n".join(line.removeprefix("--").strip() for line in lines[:count])
    sql = "\n".join(line for each in lines[count:] if (line := each.strip()) and not line.startswith("--"))
    return doc.strip(), sql.removesuffix(";").rstrip()
