"""Edges: values one under, at and one over every bound that a declaration has."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from core.limits import KINDS, FileLimits, MediaKind, MediaLimits, TextLimit
from core.post import Media

FILLINGS = ("x", "1", "a")
"""What texts are made of until one fits its pattern."""

MORE = 8
"""How much longer than it has to be a text may be made until it fits its pattern."""

PLACES = ("under", "at", "over")

STARTS = ("", "https://example.com/")

UNITS = {
    "letters": "x",
    "accents": "é",
    "emoji": "\N{GRINNING FACE}",
    "family emoji": "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}\N{ZERO WIDTH JOINER}\N{BOY}",
}
"""What long texts are made of: counters that differ tell them apart."""


LINK = " https://example.com/a-page-that-has-a-rather-long-address"


class Edge(msgspec.Struct, frozen=True, kw_only=True):
    """A value on one side of a bound, whether it is to be taken, and words for it.

    Of a longest text `place` is under, at or over its end; one that is `formed` has a pattern to keep to.
    """

    value: Any
    sound: bool
    says: str
    place: str = ""
    formed: bool = False


def edges(info: inspect.Type) -> Iterator[Edge]:
    """The values around each bound of a type, those inside lists and objects among them."""
    match _bare(info):
        case inspect.StrType() as text:
            yield from _texts(text)
        case inspect.IntType() | inspect.FloatType() as number:
            yield from _numbers(number)
        case inspect.LiteralType() as literal:
            yield from (Edge(value=value, sound=True, says=f"the choice {value}") for value in literal.values)
            yield Edge(value="no such choice", sound=False, says="no choice")
        case inspect.ListType() as row:
            yield from _rows(row)
        case inspect.StructType() as struct:
            yield from _objects(struct)


def counted(limit: TextLimit, sent: Callable[[str], str]) -> Iterator[Edge]:
    """Texts one under, at and one over what a counter lets through, once they are as they are `sent`."""
    beside = limit.count(sent("x")) - limit.count("x")
    for name, unit in (UNITS | {"links": LINK}).items():
        size = limit.count(unit * 2) - limit.count(unit)
        for place, count in zip(PLACES, (limit.most - 1, limit.most, limit.most + 1), strict=True):
            room = count - beside
            text = unit * (room // size) + "x" * (room % size)
            if limit.count(sent(text)) == count:
                yield Edge(value=text, sound=False, says=f"{count} {limit.counter} of {name}", place=place)


def max_length(info: inspect.Type) -> int | None:
    """The most characters that a type lets a text have, or each text of a list."""
    bare = _bare(info)
    if isinstance(bare, inspect.ListType):
        return max_length(bare.item_type)
    return bare.max_length if isinstance(bare, inspect.StrType) else None


def is_list(info: inspect.Type) -> bool:
    """Whether a type is a list."""
    return isinstance(_bare(info), inspect.ListType)


def sample(info: inspect.Type) -> Any:
    """A sound value of a type."""
    match _bare(info):
        case inspect.StrType() as text:
            least = max(text.min_length or 0, 1)
            return next(filter(None, (_fitting(text, least + more, "x") for more in range(MORE))), "")
        case inspect.IntType() | inspect.FloatType() as number:
            return number.ge if number.ge is not None else (number.gt or 0) + 1
        case inspect.LiteralType() as literal:
            return literal.values[0]
        case inspect.ListType() as row:
            return [sample(row.item_type)] * (row.min_length or 0)
        case inspect.StructType() as struct:
            return {field.encode_name: sample(field.type) for field in struct.fields if field.required}
        case inspect.BoolType():
            return True
    return None


def media_edges(limits: MediaLimits, files: dict[str, Media]) -> Iterator[tuple[Edge, str]]:
    """Lists of files around each bound of the media, and the code that those beyond it are refused with."""
    for kind in limits.kinds:
        bounds = limits.of(kind)
        assert bounds is not None
        yield from _counts(limits, bounds, kind, files)
        for file, sound, says, code in _files(bounds, kind, files[kind]):
            yield Edge(value=[file, *_others(limits, kind, files)], sound=sound, says=f"{kind}: {says}"), code
    if limits.bytes_max is not None and limits.kinds:
        kind = limits.kinds[0]
        largest = getattr(limits.of(kind), "bytes_max", None) or limits.bytes_max
        every = [files[kind], *_others(limits, kind, files, least=limits.bytes_max // largest + 1)]
        for size in (limits.bytes_max - 1, limits.bytes_max, limits.bytes_max + 1):
            parts = [size // len(every)] * (len(every) - 1)
            sized = [
                msgspec.structs.replace(file, bytes=part)
                for file, part in zip(every, [*parts, size - sum(parts)], strict=True)
            ]
            yield Edge(value=sized, sound=size <= limits.bytes_max, says=f"{size} bytes together"), "media_too_large"
    for kind in KINDS:
        if kind not in limits.kinds and limits.kinds:
            yield Edge(value=[Media(upload_id=kind, kind=kind)], sound=False, says=f"a {kind}"), "media_kind"


def _bare(info: inspect.Type) -> inspect.Type:
    """A type without its notes, and without None."""
    if isinstance(info, inspect.Metadata):
        return _bare(info.type)
    if isinstance(info, inspect.UnionType):
        return _bare(next(kind for kind in info.types if not isinstance(kind, inspect.NoneType)))
    return info


def _texts(info: inspect.StrType) -> Iterator[Edge]:
    if info.max_length is not None:
        for name, unit in UNITS.items():
            for length in (info.max_length - 1, info.max_length, info.max_length + 1):
                if (text := _fitting(info, length, unit)) is not None:
                    says, sound = f"{length} characters of {name}", length <= info.max_length
                    place, formed = PLACES[length - info.max_length + 1], info.pattern is not None
                    yield Edge(value=text, sound=sound, says=says, place=place, formed=formed)
    if info.min_length:
        for length in (info.min_length - 1, info.min_length):
            if (text := _fitting(info, length, "x")) is not None:
                yield Edge(value=text, sound=length >= info.min_length, says=f"{length} characters")


def _fitting(info: inspect.StrType, length: int, unit: str) -> str | None:
    """A text of so many characters, of `unit` as far as the pattern lets it; None where nothing fits that."""
    for start in STARTS:
        for filling in (unit, *FILLINGS):
            room = max(length - len(start), 0)
            text = start + filling * (room // len(filling)) + filling[0] * (room % len(filling))
            formed = info.pattern is None or re.search(re.sub(r"\$$", r"\\Z", info.pattern), text)
            if formed and len(text) == length:
                return text
    return None


def _numbers(info: inspect.IntType | inspect.FloatType) -> Iterator[Edge]:
    step = 1 if isinstance(info, inspect.IntType) else 0.5
    for bound, sign, itself in ((info.ge, -1, True), (info.gt, -1, False), (info.le, 1, True), (info.lt, 1, False)):
        if bound is not None:
            for value in (bound - sign * step, bound, bound + sign * step):
                sound = (value - bound) * sign < 0 or (value == bound and itself)
                yield Edge(value=value, sound=sound, says=f"the number {value:g}")


def _rows(info: inspect.ListType) -> Iterator[Edge]:
    one = sample(info.item_type)
    for length in _around(info.min_length or None, info.max_length):
        sound = (info.min_length or 0) <= length <= (info.max_length if info.max_length is not None else length)
        yield Edge(value=[one] * length, sound=sound, says=f"{length} of them")
    for edge in edges(info.item_type):
        row = [edge.value] * max(info.min_length or 0, 1)
        yield Edge(value=row, sound=edge.sound, says=edge.says)


def _objects(info: inspect.StructType) -> Iterator[Edge]:
    whole = sample(info)
    for field in info.fields:
        for edge in edges(field.type):
            value, says = whole | {field.encode_name: edge.value}, f"{field.encode_name}: {edge.says}"
            yield Edge(value=value, sound=edge.sound, says=says)


def _around(least: int | None, most: int | None) -> list[int]:
    ends = [end for end in (least, most) if end is not None]
    return sorted({length for end in ends for length in (end - 1, end, end + 1) if length >= 0})


def _counts(
    limits: MediaLimits, bounds: FileLimits, kind: MediaKind, files: dict[str, Media]
) -> Iterator[tuple[Edge, str]]:
    fewest, most = limits.count
    most = min(most, bounds.count_max if bounds.count_max is not None else most)
    every = [files[kind], *(files[f"{kind}-{number}"] for number in range(2, most + 2))]
    for count in _around(fewest or None, most):
        code = "media_missing" if count < fewest else "media_too_many"
        if count <= most + 1:
            yield Edge(value=every[:count], sound=fewest <= count <= most, says=f"{count} of kind {kind}"), code


def _others(limits: MediaLimits, kind: MediaKind, files: dict[str, Media], *, least: int = 1) -> list[Media]:
    """As many more files as a post needs at the least, or for `least` of them if it may have so many."""
    fewest, most = limits.count
    return [files[f"{kind}-{number}"] for number in range(2, max(fewest, min(least, most)) + 1)]


def _files(bounds: FileLimits, kind: MediaKind, sound: Media) -> Iterator[tuple[Media, bool, str, str]]:
    change = msgspec.structs.replace
    if bounds.bytes_max is not None:
        for size in (bounds.bytes_max - 1, bounds.bytes_max, bounds.bytes_max + 1):
            yield change(sound, bytes=size), size <= bounds.bytes_max, f"{size} bytes", "media_too_large"
    if bounds.mimes:
        for mime in bounds.mimes:
            yield change(sound, mime=mime), True, mime, "media_type"
        yield change(sound, mime=f"{kind}/x-unheard-of"), False, "an unheard-of type", "media_type"
    if bounds.seconds is not None and kind == "video":
        shortest, longest = bounds.seconds
        for length in (shortest - 0.5, shortest, longest, longest + 0.5):
            code = "media_too_brief" if length < shortest else "media_too_lengthy"
            yield change(sound, seconds=length), shortest <= length <= longest, f"{length:g} seconds", code
    yield from _sizes(bounds, sound)


def _sizes(bounds: FileLimits, sound: Media) -> Iterator[tuple[Media, bool, str, str]]:
    change = msgspec.structs.replace
    if bounds.pixels_min is not None:
        width, height = bounds.pixels_min
        yield change(sound, width=width - 1, height=height), False, "too few pixels", "media_too_small"
    if bounds.pixels_max is not None:
        width, height = bounds.pixels_max
        yield change(sound, width=width + 1, height=height), False, "too many pixels", "media_too_many_pixels"
    if bounds.ratio is not None:
        assert sound.height is not None
        for ratio, fits in ((bounds.ratio[0] * 0.98, False), (bounds.ratio[1] * 1.02, False)):
            width = max(round(sound.height * ratio), 1)
            yield change(sound, width=width), fits, f"{ratio:g} times as wide as high", "media_ratio"
