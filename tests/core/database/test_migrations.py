"""The schema is brought up to date once, whoever does it, and history is never rewritten unnoticed."""

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from core.database.migrate import migrate
from core.errors import Misconfigured

PROCESSES = 8
REPOSITORY = Path(__file__).parents[3]
MIGRATE_WHEN_TOLD = """
import json, sys
from pathlib import Path
from core.database.migrate import migrate
print("here", flush=True)
sys.stdin.readline()
print(json.dumps(migrate(sys.argv[1], Path(sys.argv[2]))))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "0001_things.sql").write_text("create table thing (id int);\ninsert into thing values (1);\n")
    (tmp_path / "0002_more.sql").write_text("insert into thing select id + 1 from thing; -- 100 %\n")
    (tmp_path / "README").write_text("not a migration")
    return tmp_path


def things(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [id_ for (id_,) in connection.execute("select id from thing order by id")]


def test_migrations_are_applied_in_order_and_once(empty_database_url: str, folder: Path) -> None:
    assert migrate(empty_database_url, folder) == ["0001_things", "0002_more"]
    assert migrate(empty_database_url, folder) == []
    assert things(empty_database_url) == [1, 2]


def test_a_new_file_is_applied_alone(empty_database_url: str, folder: Path) -> None:
    migrate(empty_database_url, folder)
    (folder / "0003_last.sql").write_text("insert into thing values (9)")
    assert migrate(empty_database_url, folder) == ["0003_last"]
    assert things(empty_database_url) == [1, 2, 9]


def test_of_many_processes_at_a_time_one_migrates(empty_database_url: str, folder: Path) -> None:
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", MIGRATE_WHEN_TOLD, empty_database_url, str(folder)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(PROCESSES)
    ]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "here\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    answers = [json.loads(process.communicate(timeout=60)[0]) for process in processes]
    assert sorted(answers) == [[]] * (PROCESSES - 1) + [["0001_things", "0002_more"]]
    assert things(empty_database_url) == [1, 2]


def test_an_edited_migration_is_refused(empty_database_url: str, folder: Path) -> None:
    migrate(empty_database_url, folder)
    (folder / "0001_things.sql").write_text("create table thing (id bigint);")
    with pytest.raises(Misconfigured, match=r"0001_things was edited.*Put the file back"):
        migrate(empty_database_url, folder)


def test_other_line_ends_are_no_edit(empty_database_url: str, folder: Path) -> None:
    migrate(empty_database_url, folder)
    text = (folder / "0001_things.sql").read_bytes()
    (folder / "0001_things.sql").write_bytes(text.replace(b"\n", b"\r\n"))
    assert migrate(empty_database_url, folder) == []


def test_a_database_newer_than_the_program_is_refused(empty_database_url: str, folder: Path) -> None:
    migrate(empty_database_url, folder)
    (folder / "0002_more.sql").unlink()
    with pytest.raises(Misconfigured, match=r"0002_more, which this version .* does not know.*Start that version"):
        migrate(empty_database_url, folder)


def test_a_migration_before_an_applied_one_is_refused(empty_database_url: str, folder: Path) -> None:
    second = (folder / "0002_more.sql").rename(folder / "later")
    (folder / "0003_last.sql").write_text("insert into thing values (9)")
    migrate(empty_database_url, folder)
    second.rename(folder / "0002_more.sql")
    with pytest.raises(Misconfigured, match=r"0002_more comes before .* Number it after 0003"):
        migrate(empty_database_url, folder)
    assert things(empty_database_url) == [1, 9]


def test_a_failing_migration_leaves_nothing_and_names_itself(empty_database_url: str, folder: Path) -> None:
    (folder / "0002_more.sql").write_text("insert into thing values (2); insert into nowhere values (1);")
    with pytest.raises(psycopg.errors.UndefinedTable) as caught:
        migrate(empty_database_url, folder)
    assert caught.value.__notes__ == ["while applying the migration 0002_more"]
    assert things(empty_database_url) == [1]
    (folder / "0002_more.sql").write_text("insert into thing values (2)")
    assert migrate(empty_database_url, folder) == ["0002_more"]


@pytest.mark.parametrize(
    ("name", "words"), [("0002_again.sql", "the same number"), ("3_three.sql", "has to be named like")]
)
def test_a_misnumbered_file_is_refused(empty_database_url: str, folder: Path, name: str, words: str) -> None:
    (folder / name).write_text("select 1")
    with pytest.raises(Misconfigured, match=words):
        migrate(empty_database_url, folder)


def test_a_database_out_of_reach_is_named_without_its_password(folder: Path) -> None:
    with pytest.raises(Misconfigured, match=r"127\.0\.0\.1:1/posts.*DATABASE_URL") as caught:
        migrate("postgresql://me:secret@127.0.0.1:1/posts", folder)
    assert "secret" not in str(caught.value)


def test_a_url_that_is_none_is_named_without_its_password(folder: Path) -> None:
    with pytest.raises(Misconfigured, match=r"DATABASE_URL is no address") as caught:
        migrate("postgresql+driver://me:secret@127.0.0.1:1/posts", folder)
    assert "secret" not in str(caught.value)


def test_our_own_migrations_apply_and_apply_once(empty_database_url: str) -> None:
    assert migrate(empty_database_url)[0] == "0001_initial"
    assert migrate(empty_database_url) == []


def test_accounts_of_before_get_their_lanes(empty_database_url: str, tmp_path: Path) -> None:
    older = [file for file in (REPOSITORY / "core/database/migrations").glob("*.sql") if file.name < "0010"]
    for file in older:
        (tmp_path / file.name).write_text(file.read_text())
    migrate(empty_database_url, tmp_path)
    with psycopg.connect(empty_database_url) as connection:
        connection.execute(
            """
            with o as (insert into organizations (id, name) values (gen_random_uuid(), 'o') returning id),
            t as (insert into teams (id, organization_id, name) select gen_random_uuid(), id, 't' from o
                  returning id, organization_id),
            g as (insert into grants (id, platform, app, external_user)
                  select gen_random_uuid(), 'ECHO', 'a', n::text from generate_series(1, 2) n returning id)
            insert into social_accounts (id, organization_id, team_id, grant_id, platform, username, display_name)
            select gen_random_uuid(), t.organization_id, t.id, g.id, 'ECHO', 'u', 'U' from t, g
            """
        )
        connection.execute("insert into lanes (grant_id, team_id, platform)"
                           " select grant_id, team_id, platform from social_accounts limit 1")  # fmt: skip
    migrate(empty_database_url)
    with psycopg.connect(empty_database_url) as connection:
        joined = "select count(*), count(distinct l.id) from social_accounts a join lanes l using (grant_id, team_id)"
        assert connection.execute(joined).fetchone() == (2, 2)
