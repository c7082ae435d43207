"""The vault: what is sealed opens again in its own place, and nowhere and in no way else."""

import base64
import os
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Misconfigured
from core.vault import BrokenSeal, Vault, sealed_version

PLACE = {"table": "grants", "row": "018f", "column": "access_token"}
KEY = bytes(range(32))
names = st.text(max_size=20)


@given(plaintext=st.text(max_size=300), table=names, row=names, column=names, version=st.integers(1, 2**32 - 1))
def test_what_is_sealed_opens_again(plaintext: str, table: str, row: str, column: str, version: int) -> None:
    vault = Vault({version: KEY})
    sealed = vault.seal(plaintext, table=table, row=row, column=column)
    assert vault.open(sealed, table=table, row=row, column=column) == plaintext
    assert sealed_version(sealed) == version


def test_equal_secrets_are_sealed_differently_and_show_nothing() -> None:
    vault = Vault({1: KEY})
    first, second = (vault.seal("pina_secret", **PLACE) for _ in range(2))
    assert first != second
    assert first[15:] != second[15:]
    assert b"pina" not in first
    assert KEY not in first


def test_a_change_of_any_byte_is_noticed() -> None:
    vault = Vault({1: KEY})
    sealed = vault.seal("a secret", **PLACE)
    for position in range(len(sealed)):
        for flip in (0x01, 0x80):
            changed = bytearray(sealed)
            changed[position] ^= flip
            with pytest.raises((BrokenSeal, Misconfigured)):
                vault.open(bytes(changed), **PLACE)


def test_a_cut_or_lengthened_value_is_noticed() -> None:
    vault = Vault({1: KEY})
    sealed = vault.seal("a secret", **PLACE)
    for wrong in [*(sealed[:length] for length in range(len(sealed))), sealed + b"\0", b"", b"plain text"]:
        with pytest.raises(BrokenSeal):
            vault.open(wrong, **PLACE)


@pytest.mark.parametrize("part", ["table", "row", "column"])
def test_a_value_moved_to_another_place_does_not_open(part: str) -> None:
    vault = Vault({1: KEY})
    sealed = vault.seal("a secret", **PLACE)
    with pytest.raises(BrokenSeal):
        vault.open(sealed, **{**PLACE, part: PLACE[part] + "x"})


def test_places_that_read_alike_are_told_apart() -> None:
    vault = Vault({1: KEY})
    sealed = vault.seal("a secret", table="ab", row="c", column="d")
    with pytest.raises(BrokenSeal):
        vault.open(sealed, table="a", row="bc", column="d")


def test_the_newest_key_seals_and_older_ones_still_open() -> None:
    old = Vault({1: KEY})
    sealed = old.seal("a secret", **PLACE)
    both = Vault({1: KEY, 2: KEY[::-1]})
    assert both.open(sealed, **PLACE) == "a secret"
    assert sealed_version(both.seal("a secret", **PLACE)) == both.version == 2


def test_a_missing_key_is_named_by_its_version() -> None:
    sealed = Vault({7: KEY}).seal("a secret", **PLACE)
    with pytest.raises(Misconfigured, match="key 7"):
        Vault({8: KEY}).open(sealed, **PLACE)


def test_a_wrong_key_is_named_by_its_version_and_not_shown() -> None:
    sealed = Vault({7: KEY}).seal("a secret", **PLACE)
    wrong = os.urandom(32)
    with pytest.raises(Misconfigured, match="key 7") as refusal:
        Vault({7: wrong}).open(sealed, **PLACE)
    assert base64.b64encode(wrong).decode() not in str(refusal.value)
    assert repr(wrong) not in str(refusal.value)


def test_two_versions_of_one_key_do_not_stand_in_for_each_other() -> None:
    sealed = bytearray(Vault({1: KEY}).seal("a secret", **PLACE))
    sealed[3:7] = (2).to_bytes(4, "big")
    with pytest.raises(BrokenSeal):
        Vault({1: KEY, 2: KEY}).open(bytes(sealed), **PLACE)


def test_a_generated_key_is_read_by_parse() -> None:
    text = f"{Vault.generate()}, {Vault.generate(2)},"
    vault = Vault.parse(text)
    assert vault.open(vault.seal("a secret", **PLACE), **PLACE) == "a secret"
    assert vault.version == 2
    assert Vault.generate() != Vault.generate()


def test_both_alphabets_of_base64_are_read() -> None:
    key = b"\xfb\xff" * 16
    sealed = Vault({1: key}).seal("a secret", **PLACE)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        assert Vault.parse(f"1:{encode(key).decode()}").open(sealed, **PLACE) == "a secret"


SECRET = base64.b64encode(b"s" * 31).decode()


@pytest.mark.parametrize(
    "text",
    ["", " , ", SECRET, f"x:{SECRET}", f"0:{SECRET}", f"1:{SECRET}", "1:", "1:§§§", f"1:{SECRET}!", f"-1:{SECRET}",
     f"{2**32}:{base64.b64encode(KEY).decode()}", f"1:{base64.b64encode(KEY).decode()}," * 2],
)  # fmt: skip
def test_a_malformed_setting_is_refused_by_name_without_the_key(text: str) -> None:
    with pytest.raises(Misconfigured, match="FINGERPOST_MASTER_KEYS") as refusal:
        Vault.parse(text)
    assert SECRET not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_vault_shows_its_versions_and_nothing_else() -> None:
    vault = Vault({1: KEY, 2: KEY})
    assert repr(vault) == str(vault) == "Vault(versions=[1, 2])"
    assert not hasattr(vault, "__dict__")


def test_a_broken_seal_can_be_handed_between_processes() -> None:
    with pytest.raises(BrokenSeal) as refusal:
        Vault({1: KEY}).open(b"plain", **PLACE)
    assert pickle.loads(pickle.dumps(refusal.value)).code == "broken_seal"
