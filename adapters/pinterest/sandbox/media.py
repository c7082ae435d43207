"""The operations on media: videos are registered here, and asked for until they are ready."""

from aiohttp import web

from adapters.pinterest.sandbox.boards import origin
from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.films import Film
from adapters.pinterest.sandbox.pages import page
from adapters.pinterest.sandbox.refusals import no_media
from adapters.pinterest.sandbox.schema import Text, body_of, digits_in_path
from fingerpost import json_answer

UPLOADS = "/media-upload/"
"""Where the bucket is, beside the API."""


async def register_media(caller: Caller, request: web.Request) -> web.Response:
    """`POST /media`."""
    await body_of(request, {"media_type": Text(choice=("video",))}, ("media_type",))
    film = caller.world.add_film(caller.user)
    parameters = {"upload_url": origin(request) + UPLOADS, "upload_parameters": film.parameters()}
    return json_answer(201, {"media_id": film.id, "media_type": "video", **parameters})


async def list_media(caller: Caller, request: web.Request) -> web.Response:
    """`GET /media`."""
    films = (film for film in reversed(caller.world.films.values()) if film.owner == caller.user)
    return page(caller, request, films, lambda film: _shape(caller, film))


async def show_media(caller: Caller, request: web.Request) -> web.Response:
    """`GET /media/{media_id}`."""
    film = caller.world.films.get(digits_in_path(request, "media_id"))
    if film is None or film.owner != caller.user:
        raise no_media()
    return json_answer(200, _shape(caller, film))


def _shape(caller: Caller, film: Film) -> dict[str, str]:
    status = film.status(caller.world.platform.clock())
    return {"media_id": film.id, "media_type": "video", "status": status}
