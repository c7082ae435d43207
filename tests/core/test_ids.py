"""What spells an id, and what is simply unknown."""

from uuid import UUID

import pytest

from core.ids import known_id, new_id, parse_id


def test_an_id_is_read_however_its_letters_are_written() -> None:
    for id in (new_id(), UUID(int=0), UUID("ABCDEFAB-0000-7000-8000-00000000000A")):
        assert parse_id(str(id)) == parse_id(str(id).upper()) == known_id(str(id)) == id
        assert parse_id(str(id)) == id, "also when it is remembered"


@pytest.mark.parametrize(
    "text",
    ["", "x" * 36, "{01a231bb-f1eb-7db3-80ac-fd202426770c}", "01a231bbf1eb7db380acfd202426770c", "0" * 1_000_000,
     "urn:uuid:01a231bb-f1eb-7db3-80ac-fd20", "01a231bb-f1eb-7db3-80ac-fd202426770c "],
)  # fmt: skip
def test_whatever_else_is_written_is_none(text: str) -> None:
    assert parse_id(text) is None
    with pytest.raises(AssertionError):
        known_id(text)
