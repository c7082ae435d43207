"""The sandbox of Pinterest: its constructor's switches, its routes, and what it tells of its state."""

import random
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import ClassVar

import aiohttp
from aiohttp import web

from adapters.pinterest.sandbox.bucket import FAULTS_OF_MEDIA, Bucket
from adapters.pinterest.sandbox.caller import bearer, caller_of
from adapters.pinterest.sandbox.census import census
from adapters.pinterest.sandbox.consent import Consent, Members
from adapters.pinterest.sandbox.gallery import Gallery
from adapters.pinterest.sandbox.meter import TIERS, Clock, Meter, Reading, rate_headers, windows
from adapters.pinterest.sandbox.operations import OPERATIONS, PUBLISHER_SCOPES, Operation
from adapters.pinterest.sandbox.pictures import INTAKE, Intake
from adapters.pinterest.sandbox.refusals import Refusal, over_limit, plain, trial
from adapters.pinterest.sandbox.site import Site
from adapters.pinterest.sandbox.things import Token, User
from adapters.pinterest.sandbox.tokens import TokenDesk
from adapters.pinterest.sandbox.world import ACCESS_SECONDS, FEATURES, MOST_BOARDS, MOST_PINS, World
from fingerpost import Lifespan, Sandbox, Seed, Switch, json_answer, route_of

APP = "1500000"
"""The app that every token belongs to unless another is named."""

APP_SECRET = "the-secret-of-the-sandbox"  # noqa: S105 - it opens nothing but this stand-in

FIRST_BOARDS = ("Inspiration", "Recipes", "Travel")
READINGS = web.RequestKey("readings", list[Reading])
"""How the rate windows stood when a request arrived."""


class PinterestSandbox(Sandbox):
    """A strict, stateful fake of the Pinterest API v5.

    `tier` is the app's access, `trial` or `standard`; `limits` gives rate categories (`safety_net`, `org_read`,
    `org_write`, `org_analytics`) other (calls, seconds) than the tier has. Raises ValueError for unknown ones.
    `redirects` are the addresses that the app has registered, None for any; `token_seconds` is how long an access
    token from its token endpoint lives. `features` are those in beta that apps have been granted; without `analytics`
    none are told, and without `videos` none becomes a Pin, as in Pinterest's own sandbox. A video is worked at for
    `media_seconds`, and turns out to be no good where `media_fails`. An account holds at most `most_pins` and
    `most_boards`.
    With an equally seeded `rng`, the first users, boards and tokens are the same after each start.
    """

    platform: ClassVar[str] = "PINTEREST"
    shelf: ClassVar[str] = "pins"
    app: ClassVar[tuple[str, str] | None] = (APP, APP_SECRET)
    switches = (
        Switch(name="tier", choices=tuple(TIERS), says="The app's access; with trial no Pin is made, as at Pinterest."),
        Switch(name="media_seconds", says="Seconds for which a video is worked at."),
        Switch(name="media_fails", says="Videos turn out to be no good."),
        Switch(name="videos", says="No video becomes a Pin, as in Pinterest's own sandbox."),
        Switch(name="analytics", says="No figures are told, as in Pinterest's own sandbox."),
        Switch(name="token_seconds", says="Seconds for which an access token from the token endpoint lives."),
        Switch(name="most_pins", says="How many Pins an account holds."),
        Switch(name="most_boards", says="How many boards an account holds."),
    )
    fault_kinds = {**Sandbox.fault_kinds, **FAULTS_OF_MEDIA}

    def __init__(
        self,
        *,
        tier: str = "standard",
        limits: Mapping[str, tuple[int, float]] | None = None,
        redirects: Collection[str] | None = None,
        token_seconds: float = ACCESS_SECONDS,
        features: Collection[str] = FEATURES,
        analytics: bool = True,
        videos: bool = True,
        media_seconds: float = 2.0,
        media_fails: bool = False,
        most_pins: int = MOST_PINS,
        most_boards: int = MOST_BOARDS,
        clock: Clock = time.time,
        rng: random.Random | None = None,
        remember: int = 100_000,
    ) -> None:
        super().__init__(clock=clock, rng=rng, remember=remember)
        self._tier = tier
        self._meter = Meter(windows(tier, limits or {}), clock)
        # Faults draw from the other one, so that a coin thrown changes no id.
        self._world = World(self, random.Random(self.rng.getrandbits(64)))  # noqa: S311 - nothing is secret here
        self._world.granted, self._world.tells_figures = frozenset(features), analytics
        self._world.media_seconds, self._world.media_fails = media_seconds, media_fails
        self._world.makes_videos = videos
        self._world.most_pins, self._world.most_boards = most_pins, most_boards
        self._gallery = Gallery()
        registered = None if redirects is None else frozenset(redirects)
        self.consent = Consent(Members(self, self._world.users), {APP: APP_SECRET}, registered)
        self.tokens = TokenDesk(self._world, self.consent, {APP: APP_SECRET}, token_seconds)

    def routes(self) -> Sequence[web.RouteDef]:
        """The operations below `/v5`, and the pages for people."""
        operations = [self._route(name, operation) for name, operation in OPERATIONS.items()]
        site = Site(self._world, self._gallery)
        return [
            *operations,
            *self.tokens.routes(),
            *self.consent.routes(),
            *Bucket(self._world).routes(),
            *site.routes(),
        ]

    def live(self) -> object:
        """Users, boards, sections, media and Pins, the oldest first."""
        return census(self._world)

    def seed(self) -> Seed:
        """A new user with a few boards and a token with the scopes of a publisher."""
        user = self.add_user()
        token = self.issue(user)
        boards = [self._world.add_board(user, name, number=self._world.drawn_id()) for name in FIRST_BOARDS]
        return Seed(
            access_token=token.value,
            refresh_token=self._world.issue_refresh(token).value,
            external_user=user.id,
            channel_id=boards[0].id,
            facts={
                "username": user.username,
                "account_type": "BUSINESS",
                "app_id": token.app,
                "scope": " ".join(sorted(token.scopes)),
                "expires_in": ACCESS_SECONDS,
                "boards": [{"id": board.id, "name": board.name} for board in boards],
            },
        )

    def add_user(self, username: str | None = None) -> User:
        """A new user without boards and tokens."""
        return self._world.add_user(username or f"sandbox_{len(self._world.users) + 1}")

    def user(self, number: str) -> User:
        """The user of this id. Raises KeyError."""
        return self._world.users[number]

    def issue(
        self,
        user: User,
        *,
        scopes: Collection[str] = PUBLISHER_SCOPES,
        app: str = APP,
        lifetime: float = ACCESS_SECONDS,
    ) -> Token:
        """A new access token of a user, good for `lifetime` seconds."""
        return self._world.issue(user, app=app, scopes=scopes, lifetime=lifetime)

    def refresh_for(self, token: Token) -> str:
        """A refresh token that goes with an access token."""
        return self._world.issue_refresh(token).value

    def revoke(self, number: str) -> None:
        """The user of this id takes back what was granted: every token of theirs is dead."""
        self._world.revoke(self.user(number))

    def expire(self, number: str) -> None:
        """The access tokens of the user of this id are over; their refresh tokens are good."""
        self._world.expire(self.user(number))

    def account_of(self, request: web.Request) -> str | None:
        """The id of the user whose token came along."""
        token = bearer(self._world, request)
        return token.user.id if token else None

    async def admit(self, request: web.Request) -> web.Response | None:
        """Counts a call against the rate limits of its app and user."""
        if not request.path.startswith("/v5/"):
            return None
        operation = OPERATIONS.get(route_of(request) or "")
        category = operation.category if operation else None
        token = bearer(self._world, request)
        if token is None:
            request[READINGS] = self._meter.untouched(category)
            return None
        admitted, request[READINGS] = self._meter.take(category, token.app, token.user.id)
        return None if admitted else _refusal(over_limit())

    def headers(self, request: web.Request) -> Mapping[str, str]:
        """The rate headers and the request's id."""
        readings = request.get(READINGS)
        if readings is None:
            return {}
        return {**rate_headers(readings), "x-pinterest-rid": str(self.rng.getrandbits(53))}

    def error_body(self, status: int) -> object:
        """An error of which only the status is known, as Pinterest words it."""
        return plain(status)

    def lifespans(self) -> Sequence[Lifespan]:
        """The client that fetches pictures."""
        return (self._fetching,)

    async def _fetching(self, app: web.Application) -> AsyncIterator[None]:
        agent = {"User-Agent": "Pinterestbot/1.0 (sandbox)"}
        async with aiohttp.ClientSession(headers=agent, cookie_jar=aiohttp.DummyCookieJar()) as session:
            app[INTAKE] = Intake(session, self._gallery)
            yield

    def _route(self, name: str, operation: Operation) -> web.RouteDef:
        async def serve(request: web.Request) -> web.Response:
            try:
                caller = caller_of(self._world, request, operation.scopes)
                if self._tier == "trial" and not operation.open_to_trial:
                    raise trial()
                return await operation.work(caller, request)
            except Refusal as refusal:
                return _refusal(refusal)

        method, path = name.split(" ")
        return web.route(method, path, serve)


def _refusal(refusal: Refusal) -> web.Response:
    return json_answer(refusal.status, refusal.body)
