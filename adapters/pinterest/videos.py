"""Videos: registered, uploaded to the storage that Pinterest names, and asked for until they are ready.

https://developers.pinterest.com/docs/api-features/creating-boards-and-pins/#creating-video-pins
"""

from datetime import timedelta
from itertools import count

import msgspec

from adapters.pinterest.wire import Media as Uploaded
from adapters.pinterest.wire import Slot
from fingerpost import Media, Rejected, Session, form_body

FIRST_WAIT, LONGEST_WAIT = 3.0, 60.0
"""Seconds between two questions; each wait is twice the one before. It mostly takes Pinterest some seconds."""

SECRET = ("policy", "x-amz-signature", "x-amz-security-token", "x-amz-credential")
"""The parameters of an upload with which anyone could put a file there."""

BUCKET = "https://pinterest-media-upload.s3-accelerate.amazonaws.com/"

REHEARSAL = {
    "POST /v5/media": {
        "media_id": "<the video's id>",
        "upload_url": BUCKET,
        "upload_parameters": {"policy": "<from Pinterest>"},
    },
    f"POST {BUCKET}": {},
    "GET /v5/media/*": {"media_id": "<the video's id>", "status": "succeeded"},
}
"""Pinterest's part in a dry run."""


async def upload(film: Media, session: Session) -> str:
    """The id of the video at Pinterest, uploaded now if no earlier attempt did; a slot is used for one upload only.

    An attempt that was broken off has left a slot of which nobody knows whether the file came in: Pinterest says so.
    """
    for number in count(1):
        known: str | None = session.remembered(f"register-{number}")
        if known is None:
            return await _upload_anew(number, film, session)
        status = await _status(known, session)
        if status in ("processing", "succeeded") or (status == "registered" and session.remembered(f"upload-{number}")):
            return known
    raise AssertionError("counting came to an end")


async def unready(media_id: str, looks: int, session: Session) -> timedelta | None:
    """How long to wait until the video is asked for again; None where it is ready.

    Raises Rejected where Pinterest could make nothing of it.
    """
    if looks > 0:
        status = await _status(media_id, session)
        if status == "succeeded":
            return None
        if status in ("failed", "gone"):
            raise Rejected(
                "Pinterest could make nothing of the video.",
                code="media_failed",
                hint="Export it again as MP4 with H.264 and AAC, upload it, and send the post again.",
            )
    return timedelta(seconds=min(FIRST_WAIT * 2 ** min(looks, 10), LONGEST_WAIT))


async def _upload_anew(number: int, film: Media, session: Session) -> str:
    slots: list[Slot] = []

    async def register() -> str:
        response = await session.http.post("/v5/media", json={"media_type": "video"})
        slots.append(msgspec.json.decode(response.content, type=Slot))
        session.conceal(*(value for name, value in slots[0].upload_parameters.items() if name in SECRET))
        return slots[0].media_id

    async def send() -> str:
        async with session.file(film) as file:
            body = form_body(slots[0].upload_parameters, file)
            await session.bare.post(slots[0].upload_url, content=body, headers=body.headers)
        return slots[0].media_id

    # The slot itself is not remembered: whoever has it can put a file there.
    await session.step(f"register-{number}", register, safe_to_repeat=True)
    return await session.step(f"upload-{number}", send, safe_to_repeat=True)


async def _status(media_id: str, session: Session) -> str | None:
    try:
        response = await session.http.get(f"/v5/media/{media_id}")
    except Rejected as refused:
        if refused.code == "media_not_found":
            return "gone"
        raise
    return msgspec.json.decode(response.content, type=Uploaded).status
