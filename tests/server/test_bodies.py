"""Bodies are decoded within bounds."""

import pytest

from server.bodies import MAX_DEPTH, MAX_VALUES, InvalidRequest, decode


def nested(depth: int) -> bytes:
    return b'{"a":[' * (depth // 2) + b"]}" * (depth // 2)


def fault(raw: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        decode(raw)
    (finding,) = caught.value.report.errors
    assert finding.path == ()
    return finding.code


def test_the_depth_of_a_body_is_bounded() -> None:
    assert decode(nested(MAX_DEPTH)) is not None
    assert fault(nested(MAX_DEPTH + 2)) == "malformed_json"
    assert fault(b'{"a":' * 100 + b"1" + b"}" * 100) == "malformed_json"
    assert fault(b"[" * 200_000) == "malformed_json"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    assert decode(b"[" + b"[],{}," * 500 + b"1]") is not None


def test_how_much_a_body_holds_is_bounded() -> None:
    assert decode(b"[" + b"1," * (MAX_VALUES - 2) + b"1]") is not None
    assert fault(b"[" + b"1," * MAX_VALUES + b"1]") == "too_many_values"
    assert fault(b'{"a":[' + b"{}," * MAX_VALUES + b"{}]}") == "too_many_values"


def test_commas_in_a_text_are_not_values() -> None:
    assert decode(b'["' + b"," * 100_000 + b'"]') == ["," * 100_000]


@pytest.mark.parametrize(
    "raw",
    [b"", b" ", b"{", b"{} {}", b"NaN", b"1e999", b"9" * 5000, b'"\\ud800"', b'"\xed\xa0\x80"', b"\xef\xbb\xbf{}"],
)
def test_what_is_no_json_is_one_finding(raw: bytes) -> None:
    assert fault(raw) == "malformed_json"


@pytest.mark.parametrize("raw", [b"18446744073709551616", b"-1e308", b'"\\u0000"', b'{"a":1,"a":2}'])
def test_what_is_json_is_decoded(raw: bytes) -> None:
    decode(raw)
