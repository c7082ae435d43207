"""Master keys: from the setting, from a file, and compared with those that were used before."""

from pathlib import Path
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.database.pool import open_pool
from core.errors import Misconfigured
from core.settings import Settings
from core.vault import Vault
from core.vault.register import check_keys
from tests.core.vault.secrets_at_rest import store

Pool = AsyncConnectionPool[AsyncConnection[Any]]


def write(path: Path, text: str, mode: int = 0o600) -> Path:
    path.write_text(text)
    path.chmod(mode)
    return path


def test_keys_of_a_file_and_of_the_setting_come_together(tmp_path: Path) -> None:
    one, two, three = (Vault.generate(version) for version in (1, 2, 3))
    file = write(tmp_path / "keys", f"# ours\n{two}\n\n{three}  # the newest\n{one}\n")
    vault = Vault.parse(one, file=file)
    assert vault.versions == (1, 2, 3)
    assert vault.version == 3
    place = {"table": "t", "row": "r", "column": "c"}
    assert Vault.parse(three).open(vault.seal("a secret", **place), **place) == "a secret"


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o620, 0o666])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path: Path, mode: int) -> None:
    key = Vault.generate()
    with pytest.raises(Misconfigured, match=r"FINGERPOST_MASTER_KEYS_FILE.*chmod 600") as refusal:
        Vault.parse("", file=write(tmp_path / "keys", key, mode))
    assert key[2:] not in str(refusal.value)


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o440])
def test_a_file_of_our_own_or_of_our_group_is_read(tmp_path: Path, mode: int) -> None:
    assert Vault.parse("", file=write(tmp_path / "keys", Vault.generate(), mode)).version == 1


def test_what_is_wrong_with_a_file_is_said_without_what_is_in_it(tmp_path: Path) -> None:
    secret = Vault.generate()[2:]
    for text in (secret, f"x:{secret}", f"1:{secret}!", f"1:{secret}\n1:{secret}", "1:schlüssel", ""):
        with pytest.raises(Misconfigured, match="FINGERPOST_MASTER_KEYS") as refusal:
            Vault.parse("", file=write(tmp_path / "keys", text))
        assert secret not in str(refusal.value)
        assert refusal.value.__cause__ is None
    with pytest.raises(Misconfigured, match="FINGERPOST_MASTER_KEYS_FILE"):
        Vault.parse("", file=tmp_path / "nowhere")
    with pytest.raises(Misconfigured, match="version 1"):
        Vault.parse(Vault.generate(), file=write(tmp_path / "keys", Vault.generate()))


def test_settings_want_keys_from_one_of_the_two_and_show_none_of_them() -> None:
    needed = {"DATABASE_URL": "postgresql://u:hidden@h/d", "REDIS_URL": "redis://h"}
    with pytest.raises(Misconfigured, match="FINGERPOST_MASTER_KEYS"):
        Settings.read(needed)
    read = Settings.read({**needed, "FINGERPOST_MASTER_KEYS_FILE": "/run/keys"})
    assert read.keys_file == Path("/run/keys")
    assert "hidden" not in repr(read)


async def test_the_same_keys_are_good_again_and_new_ones_are_remembered(pool: Pool) -> None:
    first = Vault.generate(1)
    for text in (first, first, f"{first},{Vault.generate(2)}", first):
        await check_keys(pool, Vault.parse(text))


async def test_a_wrong_key_is_told_by_its_version(pool: Pool) -> None:
    one = Vault.generate(1)
    await check_keys(pool, Vault.parse(f"{one},{Vault.generate(7)}"))
    with pytest.raises(Misconfigured, match=r"Key 7 .* is not the key 7"):
        await check_keys(pool, Vault.parse(f"{one},{Vault.generate(7)}"))
    # Not even a new one beside it is taken then.
    with pytest.raises(Misconfigured, match="Key 7"):
        await check_keys(pool, Vault.parse(f"{Vault.generate(7)},{Vault.generate(8)}"))
    await check_keys(pool, Vault.parse(f"{one},{Vault.generate(8)}"))


async def test_a_lost_key_is_told_by_its_version_while_secrets_stand_under_it(pool: Pool) -> None:
    one, two = Vault.generate(1), Vault.generate(2)
    await check_keys(pool, Vault.parse(one))
    await store(pool, Vault.parse(one), 1)
    with pytest.raises(Misconfigured, match=r"Key 1 is missing .* grants\.access_token"):
        await check_keys(pool, Vault.parse(two))
    async with pool.connection() as connection:
        await connection.execute("delete from grants")
    await check_keys(pool, Vault.parse(two))


async def test_a_database_without_our_schema_is_told_in_words(empty_database_url: str) -> None:
    async with open_pool(empty_database_url, size=1, name="tests") as pool:
        with pytest.raises(Misconfigured, match="fingerpost migrate"):
            await check_keys(pool, Vault.parse(Vault.generate()))
