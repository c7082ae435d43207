"""What is in a `.sql` file is found by its name, and nothing else is."""

from pathlib import Path

import psycopg
import pytest

from core.database.queries import Queries, queries

TEXT = """
-- What this file is for.

-- name: take
-- Takes what is due.
-- Two lines.
select 1  -- name: not_a_name
from due;

-- name: give_back
delete from due
where id = %s;
"""


def test_a_query_is_its_text_without_the_comment_above_and_the_semicolon_below() -> None:
    read = Queries(TEXT, "here.sql")
    assert dict(read) == {
        "take": "select 1  -- name: not_a_name\nfrom due",
        "give_back": "delete from due\nwhere id = %s",
    }
    assert read.doc("take") == "Takes what is due.\nTwo lines."
    assert read.doc("give_back") == ""


def test_an_unknown_name_tells_the_file_and_the_nearest_name() -> None:
    with pytest.raises(KeyError, match=r"here\.sql has no query 'givebak'; did you mean 'give_back'\?"):
        Queries(TEXT, "here.sql")["givebak"]


def test_an_unknown_name_like_no_other_is_not_guessed_at() -> None:
    with pytest.raises(KeyError) as caught:
        Queries(TEXT, "here.sql")["zzz"]
    assert "did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("-- name: a\nselect 1\n-- name: a\nselect 2", "'a' comes twice"),
        ("-- name: a\n-- only words\n-- name: b\nselect 2", "'a' is empty"),
        ("select 1;\n-- name: a\nselect 2", "before the first"),
    ],
)
def test_a_file_that_is_not_clear_is_refused(text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Queries(text, "here.sql")


def test_a_package_is_read_when_first_asked_and_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "sql_beside_module"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "queries.sql").write_text("-- name: one\nselect 1")
    monkeypatch.syspath_prepend(tmp_path)
    first = queries("sql_beside_module")
    (package / "queries.sql").unlink()
    assert queries("sql_beside_module") is first
    assert first["one"] == "select 1"


def test_a_query_runs_with_its_parameters(database_url: str) -> None:
    read = Queries("-- name: add\n-- 100 % right\nselect %s::int + 1;", "here.sql")
    with psycopg.connect(database_url) as connection:
        assert connection.execute(read["add"], [41]).fetchone() == (42,)
