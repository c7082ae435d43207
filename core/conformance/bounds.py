"""Checks of the bounds: each is enforced at its very edge, by the check and by the platform's stand-in."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import msgspec
from msgspec import inspect

from core.conformance.declaration import Tried
from core.conformance.edges import Edge, counted, edges, is_list, max_length, media_edges
from core.conformance.subject import Subject
from core.conformance.trial import Delivery, Ending, Trial, trial
from core.drafting import AnyAdapter, Drafted
from core.errors import Rejected
from core.post import Block, Draft, Media

FILES = ("mediaUrls", "uploadIds")


async def are_enforced(subject: Subject) -> AsyncIterator[Tried]:
    """Every bound of a field holds one under, at, and one over it, in letters, accents and emoji."""
    for field in _fields(subject):
        for block in subject.blocks():
            for edge in _edges_of(subject, block, field):
                made = subject.drafted({**block, field.encode_name: edge.value})
                refused = field.encode_name in _faulty(subject, made)
                if refused == edge.sound:
                    yield f"`{field.encode_name}`, {edge.says}: {'refused' if refused else 'taken'}"
                else:
                    yield None


async def of_media_are_enforced(subject: Subject) -> AsyncIterator[Tried]:
    """Every bound of the files holds one under, at, and one over it."""
    limits = subject.limits.media
    for edge, code in media_edges(limits, dict(subject.uploads())):
        found = {finding.code for finding in _with_files(subject, edge.value).findings if finding.severity == "error"}
        if edge.sound:
            told = {other for other in found if other.startswith("media_")}
            yield f"{edge.says}: refused as {', '.join(sorted(told))}" if told else None
        else:
            yield None if code in found else f"{edge.says}: not refused as {code}"


async def are_those_of_the_platform(subject: Subject) -> AsyncIterator[Tried]:
    """The platform takes texts that are as long as they may be, and refuses those one longer."""
    async with trial(subject) as here:
        rooms: dict[str, Draft[Any]] = {}
        for number, (field, edge) in enumerate(_long_texts(subject)):
            if edge.sound and field.name not in rooms:
                rooms[field.name] = _room(here, field, edge.value)
            draft = rooms.get(field.name) or here.draft(here.blocks()[-1])
            changed = _changed(subject.adapter, draft, field, edge.value)
            ending = await Delivery(here, changed, f"key-{number}").to_the_end()
            where, refused = f"`{field.encode_name}`, {edge.says}", isinstance(ending.error, Rejected)
            if edge.sound:
                yield None if ending.published else f"{where}: refused by the platform ({_words(ending)})"
            else:
                yield None if refused else f"{where}: taken by the platform, though the declaration refuses it"


def _room(here: Trial, field: inspect.Field, text: str) -> Draft[Any]:
    """The example in which a field may be so long: a rule may want less of one that has a file."""
    examples = list(reversed(here.blocks()))
    without = [{name: value for name, value in block.items() if name not in FILES} for block in examples]
    for block in (*examples, *without):
        made = here.subject.drafted({**block, field.encode_name: text})
        if not any(finding.severity == "error" for finding in made.findings):
            return here.draft(block)
    return here.draft(examples[0])


def _changed(adapter: AnyAdapter, draft: Draft[Any], field: inspect.Field, value: str) -> Draft[Any]:
    """The draft with another text in a field, whatever is against that."""
    block, media = msgspec.structs.replace(draft.block, **{field.name: value}), draft.media
    if media and field.encode_name == adapter.alt_text_field:
        media = (msgspec.structs.replace(media[0], alt_text=value), *media[1:])
    return msgspec.structs.replace(draft, block=block, media=media)


def _long_texts(subject: Subject) -> Iterator[tuple[inspect.Field, Edge]]:
    """Texts that are as long as they may be, and one longer; what has to be of some form has to mean something too."""
    for field in _fields(subject):
        for edge in _edges_of(subject, list(subject.blocks())[-1], field):
            if isinstance(edge.value, str) and edge.place in ("at", "over") and not edge.formed:
                yield field, edge


def _edges_of(subject: Subject, block: dict[str, Any], field: inspect.Field) -> Iterator[Edge]:
    """The values around the bounds of a field, in a block: those of its type, and those of the platform's counters."""
    draft = subject.drafted(block).draft
    limits = subject.limits.of_text(field.encode_name)
    if draft is None or not limits:
        yield from edges(field.type)
        return

    def sent(text: str) -> str:
        changed = msgspec.structs.replace(draft.block, **{field.name: text})
        whole = subject.adapter.text_of(msgspec.structs.replace(draft, block=changed), field.encode_name)
        return text if whole is None else whole

    def fits(text: str) -> bool:
        return all(limit.count(sent(text)) <= limit.most for limit in limits)

    for edge in edges(field.type):
        texts = edge.value if isinstance(edge.value, list) else [edge.value]
        sound = edge.sound and all(fits(text) for text in texts if isinstance(text, str))
        yield msgspec.structs.replace(edge, sound=sound)
    longest = max_length(field.type)
    for limit in limits:
        for edge in counted(limit, sent):
            sound = fits(edge.value) and (longest is None or len(edge.value) <= longest)
            value = [edge.value] if is_list(field.type) else edge.value
            yield msgspec.structs.replace(edge, value=value, sound=sound)


def _words(ending: Ending) -> str:
    return f"{type(ending.error).__name__}: {ending.error}"


def _fields(subject: Subject) -> Iterator[inspect.Field]:
    """The block's own fields that have an effect."""
    info = inspect.type_info(subject.adapter.block)
    assert isinstance(info, inspect.StructType)
    for field in info.fields:
        if field.name not in Block.__struct_fields__ and not _unused(field.type):
            yield field


def _unused(info: inspect.Type) -> bool:
    if isinstance(info, inspect.Metadata):
        return "unused" in (info.extra or {}) or _unused(info.type)
    return isinstance(info, inspect.UnionType) and any(map(_unused, info.types))


def _faulty(subject: Subject, made: Drafted) -> set[str | int]:
    """The fields with a fault in their own bounds; those that a rule minds are not among them."""
    depth = len(subject.path)
    return {
        finding.path[depth]
        for finding in made.findings
        if finding.severity == "error" and "." not in finding.code and len(finding.path) > depth
    }


def _with_files(subject: Subject, files: list[Media]) -> Drafted:
    uploads = {f"file-{number}": file for number, file in enumerate(files)}
    block: dict[str, Any] = {**next(iter(subject.blocks())), "mediaUrls": None, "uploadIds": list(uploads)}
    return subject.drafted(block, uploads)
