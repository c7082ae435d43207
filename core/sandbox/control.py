"""The endpoints below `/_sandbox` through which a test reads and steers a sandbox."""

import msgspec
from aiohttp import web

from core.sandbox.answers import json_answer
from core.sandbox.picture import sample_picture
from core.sandbox.sandbox import Sandbox
from core.sandbox.switchboard import BadFault

PREFIX = "/_sandbox/"
"""Calls below this path are neither logged nor faulted."""


class Control:
    """The control endpoints of one sandbox."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def routes(self) -> list[web.RouteDef]:
        """The endpoints."""
        return [
            web.get(f"{PREFIX}log", self.show_log),
            web.delete(f"{PREFIX}log", self.clear_log),
            web.get(f"{PREFIX}state", self.show_state),
            web.get(f"{PREFIX}faults", self.show_faults),
            web.post(f"{PREFIX}faults", self.switch_on),
            web.delete(f"{PREFIX}faults", self.switch_off),
            web.post(f"{PREFIX}seed", self.seed),
            web.get(f"{PREFIX}picture.png", self.show_picture),
        ]

    async def show_log(self, _: web.Request) -> web.Response:
        """Every call in the order of arrival."""
        return json_answer(200, self._sandbox.log.calls())

    async def clear_log(self, _: web.Request) -> web.Response:
        """Forgets the calls so far."""
        self._sandbox.log.clear()
        return web.Response(status=204)

    async def show_state(self, _: web.Request) -> web.Response:
        """What is live on the platform."""
        return json_answer(200, self._sandbox.live())

    async def show_faults(self, _: web.Request) -> web.Response:
        """The faults that are switched on."""
        return json_answer(200, self._sandbox.faults.shown())

    async def switch_on(self, request: web.Request) -> web.Response:
        """Switches a fault on, or names everything that is wrong with it."""
        try:
            switch = self._sandbox.faults.add(msgspec.json.decode(await request.read()))
        except msgspec.DecodeError as wrong:
            return json_answer(400, {"mistakes": [f"the body is not JSON: {wrong}"]})
        except BadFault as bad:
            return json_answer(400, {"mistakes": bad.mistakes})
        return json_answer(201, switch.shown())

    async def switch_off(self, _: web.Request) -> web.Response:
        """Switches all faults off."""
        self._sandbox.faults.clear()
        return web.Response(status=204)

    async def seed(self, _: web.Request) -> web.Response:
        """Makes one more user who is ready to publish."""
        return json_answer(201, self._sandbox.seed())

    async def show_picture(self, _: web.Request) -> web.Response:
        """A picture to publish."""
        return web.Response(body=sample_picture(), content_type="image/png")
