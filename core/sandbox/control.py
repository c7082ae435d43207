"""The endpoints below `/_sandbox` through which a test reads and steers a sandbox."""

from collections.abc import Awaitable, Callable
from functools import wraps

import msgspec
from aiohttp import web

from core.sandbox.answers import json_answer
from core.sandbox.picture import sample_picture
from core.sandbox.reading import Mistaken
from core.sandbox.sandbox import Sandbox
from core.sandbox.weather import Weather

PREFIX = "/_sandbox/"
"""Calls below this path are neither logged nor faulted."""

Steering = Callable[["Control", object], web.Response]
Endpoint = Callable[["Control", web.Request], Awaitable[web.Response]]


def steered(by: Steering) -> Endpoint:
    """An endpoint that hands its JSON body on, and answers a bad one with everything that is wrong with it."""

    @wraps(by)
    async def endpoint(control: "Control", request: web.Request) -> web.Response:
        try:
            return by(control, msgspec.json.decode(await request.read()))
        except msgspec.DecodeError as wrong:
            return json_answer(400, {"mistakes": [f"the body is not JSON: {wrong}"]})
        except Mistaken as mistaken:
            return json_answer(400, {"mistakes": mistaken.mistakes})

    return endpoint


class Control:
    """The control endpoints of one sandbox."""

    def __init__(self, sandbox: Sandbox, catch_up: Callable[[], int]) -> None:
        self._sandbox = sandbox
        self._catch_up = catch_up

    def routes(self) -> list[web.RouteDef]:
        """The endpoints."""
        return [
            web.get(f"{PREFIX}log", self.show_log),
            web.delete(f"{PREFIX}log", self.clear_log),
            web.get(f"{PREFIX}state", self.show_state),
            web.get(f"{PREFIX}faults", self.show_faults),
            web.post(f"{PREFIX}faults", self.switch_on),
            web.delete(f"{PREFIX}faults", self.switch_off),
            web.post(f"{PREFIX}late", self.catch_up),
            web.get(f"{PREFIX}weather", self.show_weather),
            web.post(f"{PREFIX}weather", self.change_weather),
            web.delete(f"{PREFIX}weather", self.clear_up),
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

    @steered
    def switch_on(self, raw: object) -> web.Response:
        """Switches a fault on."""
        return json_answer(201, self._sandbox.faults.add(raw).shown())

    async def switch_off(self, _: web.Request) -> web.Response:
        """Switches all faults off."""
        self._sandbox.faults.clear()
        return web.Response(status=204)

    async def catch_up(self, _: web.Request) -> web.Response:
        """Does at once what the fault `late` has put off."""
        return json_answer(200, {"begun": self._catch_up()})

    async def show_weather(self, _: web.Request) -> web.Response:
        """How the platform behaves just now."""
        return json_answer(200, self._sandbox.weather)

    @steered
    def change_weather(self, raw: object) -> web.Response:
        """Changes what is named, null making it fair, and leaves the rest as it is."""
        self._sandbox.weather = self._sandbox.weather.changed(raw)
        return json_answer(200, self._sandbox.weather)

    async def clear_up(self, _: web.Request) -> web.Response:
        """Makes the weather fair."""
        self._sandbox.weather = Weather()
        return web.Response(status=204)

    async def seed(self, _: web.Request) -> web.Response:
        """Makes one more user who is ready to publish."""
        return json_answer(201, self._sandbox.seed())

    async def show_picture(self, _: web.Request) -> web.Response:
        """A picture to publish."""
        return web.Response(body=sample_picture(), content_type="image/png")
