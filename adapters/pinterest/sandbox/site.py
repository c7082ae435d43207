"""The pages that a person opens: a Pin as the world sees it, and its picture."""

from html import escape
from pathlib import PurePosixPath

from aiohttp import web

from adapters.pinterest.sandbox.gallery import Gallery
from adapters.pinterest.sandbox.things import Pin
from adapters.pinterest.sandbox.world import World

PAGE = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>{title}</title></head>
<body style="font-family: sans-serif; max-width: 40rem; margin: 2rem auto">
<p>A Pin in the sandbox. Nothing here is on Pinterest.</p>
<h1>{title}</h1>
{pictures}
<p>{description}</p>
<p><a href="{link}" rel="nofollow noopener">{link}</a></p>
<p>Board: {board} · by {owner}</p>
</body>
</html>
"""


class Site:
    """What is served beside the API: `/pin/{pin_id}/` and the pictures."""

    def __init__(self, world: World, gallery: Gallery) -> None:
        self._world = world
        self._gallery = gallery

    def routes(self) -> list[web.RouteDef]:
        """The pages."""
        return [
            web.route("GET", "/pin/{pin_id}/", self.show_pin),
            web.route("GET", "/images/{size}/{name}", self.show_picture),
        ]

    async def show_pin(self, request: web.Request) -> web.Response:
        """The page of a Pin on a board that is open to all."""
        pin = self._world.pins.get(request.match_info["pin_id"])
        if pin is None or self._world.boards[pin.board].privacy != "PUBLIC":
            raise web.HTTPNotFound
        return web.Response(text=self._page(pin), content_type="text/html")

    async def show_picture(self, request: web.Request) -> web.Response:
        """A picture as it came in, whatever size is asked for."""
        found = self._gallery.find(PurePosixPath(request.match_info["name"]).stem)
        if found is None:
            raise web.HTTPNotFound
        picture, data = found
        return web.Response(body=data, content_type=picture.mime)

    def _page(self, pin: Pin) -> str:
        names = [slot.picture.sha256 for slot in pin.slots]
        alt = escape(pin.alt_text or "")
        return PAGE.format(
            title=escape(pin.title or "Untitled"),
            description=escape(pin.description or ""),
            link=escape(pin.link or ""),
            board=escape(self._world.boards[pin.board].name),
            owner=escape(pin.owner.username),
            pictures="\n".join(
                f'<img src="/images/originals/{name}" alt="{alt}" style="max-width: 100%">' for name in names
            ),
        )
