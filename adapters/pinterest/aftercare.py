"""Pins that are live: read, changed, deleted, and saved to another board."""

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from adapters.pinterest.block import PinDraft
from adapters.pinterest.boards import board_path, section_path, sent_board
from adapters.pinterest.likeness import plain
from adapters.pinterest.wire import Pin, pages
from fingerpost import Aftercare, Live, Rejected, Session

NAMES = {
    "text": "title",
    "description": "description",
    "link": "link",
    "altText": "alt_text",
    "boardId": "board_id",
    "boardSectionId": "board_section_id",
}
"""The fields of a block that a Pin has, by its own names for them."""


class PinCare(Aftercare):
    """`/v5/pins/{pin_id}`. Changing is in beta: an app that has not been granted it is refused.

    A Pin that is saved becomes the parent of its copy, by which the copy is found again.
    """

    noun = "pin"
    editable = ("text", "description", "link", "altText", "boardId", "boardName", "boardSectionId")
    gone = frozenset({"pin_not_found"})

    async def read(self, external_id: str, session: Session) -> Live:
        """`GET /v5/pins/{pin_id}`."""
        response = await session.http.get(pin_path(external_id))
        return _live(msgspec.json.decode(response.content, type=Pin), session)

    async def change(self, external_id: str, draft: PinDraft, names: Sequence[str], session: Session) -> Live:
        """`PATCH /v5/pins/{pin_id}`."""
        body = {NAMES[name]: value for name, value in self._wanted(draft, names, session).items()}
        response = await session.http.patch(pin_path(external_id), json=body)
        return _live(msgspec.json.decode(response.content, type=Pin), session)

    async def delete(self, external_id: str, session: Session) -> None:
        """`DELETE /v5/pins/{pin_id}`."""
        await session.http.delete(pin_path(external_id))

    async def save(self, external_id: str, channel_id: str, section_id: str | None, session: Session) -> Live:
        """`POST /v5/pins/{pin_id}/save`, which makes another Pin."""
        _checked(channel_id, section_id)
        body = {"board_id": channel_id} | ({"board_section_id": section_id} if section_id else {})
        response = await session.http.post(f"{pin_path(external_id)}/save", json=body)
        return _live(msgspec.json.decode(response.content, type=Pin), session)

    async def saved(self, external_id: str, channel_id: str, since: datetime, session: Session) -> Live | None:
        """`GET /v5/boards/{board_id}/pins`, all pages: a Pin whose parent this one is."""
        async for page in pages(session, f"{board_path(channel_id)}/pins", Pin):
            for pin in page:
                if pin.parent_pin_id == external_id and pin.made >= since.replace(microsecond=0):
                    return _live(pin, session)
        return None

    def shows(self, live: Live, draft: PinDraft, names: Sequence[str], session: Session) -> bool:
        """Whether the Pin is so; Pinterest may trim and escape texts."""
        wanted = self._wanted(draft, names, session)
        return all(plain(live.fields.get(name)) == plain(value) for name, value in wanted.items())

    def _wanted(self, draft: PinDraft, names: Sequence[str], session: Session) -> dict[str, Any]:
        """What the Pin shall have; a board that is named is meant by its id."""
        block = msgspec.to_builtins(draft.block)
        wanted = {name: block.get(name) for name in names if name in NAMES}
        if {"boardId", "boardName"}.intersection(names):
            wanted["boardId"] = sent_board(draft, session)
        return wanted


def pin_path(pin_id: str) -> str:
    """The path of a Pin. Pinterest's ids are digits: no other is asked for."""
    if not re.fullmatch(r"[0-9]{1,32}", pin_id):
        raise Rejected("There is no such Pin.", code="pin_not_found", hint="Ids are digits here.", http_status=404)
    return f"/v5/pins/{pin_id}"


def _checked(board_id: str, section_id: str | None) -> None:
    """Raise for ids that Pinterest can have given to nothing."""
    if section_id is None:
        board_path(board_id)
    else:
        section_path(board_id, section_id)


def _live(pin: Pin, session: Session) -> Live:
    fields = {name: getattr(pin, own) for name, own in NAMES.items()}
    return Live(external_id=pin.id, permalink=f"{session.hosts['web']}/pin/{pin.id}/", fields=fields)
