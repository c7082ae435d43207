"""The sandbox of Mastodon: one server with its people and their statuses, in one of two flavours."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.client import responses
from itertools import count
from typing import Any, ClassVar

from aiohttp import web

from adapters.mastodon.sandbox.consent import Consent
from adapters.mastodon.sandbox.things import File, Person, Status, counted, file_shape, iso, written
from fingerpost import Sandbox, Seed, json_answer

KEY_SECONDS = 3600.0
LONGEST, LONGEST_ALT, FILES, VISIBLE = 500, 1500, 4, ("public", "unlisted", "private", "direct")


class Refused(Exception):
    """An answer of status 400 and up; its words are in the account's language."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class MastodonSandbox(Sandbox):
    """A strict, stateful fake. Its `way` is whose program it runs: `mastodon`, or `gotosocial`.

    The latter ignores `Idempotency-Key`, and counts every character of a URL. `looks` is how often a film has to be
    asked for until it is ready.
    """

    platform: ClassVar[str] = "MASTODON"
    ways: ClassVar[tuple[str, ...]] = ("mastodon", "gotosocial")

    def __init__(self, *, looks: int = 2, **options: Any) -> None:
        super().__init__(**options)
        self._own = self.way != "gotosocial"
        self._looks = looks
        self._people: dict[str, Person] = {}
        self._files: dict[str, File] = {}
        self._statuses: dict[str, Status] = {}
        self._by_key: dict[tuple[str, str], tuple[str, float]] = {}
        self._numbers = count(1)
        self.consent = Consent(self._welcome, self.clock)

    def routes(self) -> Sequence[web.RouteDef]:
        """The operations that publishing takes."""
        return [
            *self.consent.routes(),
            web.get("/api/v2/instance", self._answered(self._instance), allow_head=False),
            web.get("/api/v1/accounts/verify_credentials", self._answered(self._whoami), allow_head=False),
            web.get("/api/v1/accounts/{id}/statuses", self._answered(self._list), allow_head=False),
            web.post("/api/v2/media", self._answered(self._upload)),
            web.get("/api/v1/media/{id}", self._answered(self._file), allow_head=False),
            web.post("/api/v1/statuses", self._answered(self._post)),
            web.get("/api/v1/statuses/{id}", self._answered(self._show), allow_head=False),
            web.delete("/api/v1/statuses/{id}", self._answered(self._delete)),
        ]

    def live(self) -> object:
        """Every status, the oldest first."""
        return {
            "posts": [
                {"id": status.id, "text": status.text, "created": status.created, "status": self._shape(status)}
                for status in self._statuses.values()
            ]
        }

    def seed(self) -> Seed:
        """One more person, with the token of an application."""
        person = self._welcome()
        return Seed(access_token=person.token, refresh_token=None, external_user=person.id, channel_id="", facts={})

    def account_of(self, request: web.Request) -> str | None:
        """The id of whoever calls."""
        person = self._people.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        return person.id if person else None

    def error_body(self, status: int) -> object:
        """An error of which only the status is known."""
        return {"error": responses.get(status, "Fehler")}

    def refusal_body(self, code: int | str | None, words: str) -> object:
        """An error with these words."""
        return {"error": words}

    def headers(self, request: web.Request) -> Mapping[str, str]:
        """The platform's time, and its rate headers."""
        now = self.now()
        told = {"Date": datetime.fromtimestamp(now, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}
        limit = {"X-RateLimit-Limit": "300", "X-RateLimit-Remaining": "299", "X-RateLimit-Reset": iso(now + 300)}
        return told | (limit if self._own else {})

    def _welcome(self) -> Person:
        number = next(self._numbers)
        token = f"token-{self.rng.getrandbits(128):032x}"
        person = Person(id=str(self.rng.getrandbits(56)), username=f"sandbox_{number}", token=token)
        self._people[token] = person
        return person

    def _answered(
        self, work: Callable[[web.Request], Awaitable[tuple[int, Any, dict[str, str]]]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            try:
                status, body, headers = await work(request)
                return json_answer(status, body, headers)
            except Refused as refused:
                return json_answer(refused.status, {"error": str(refused)})
            except (KeyError, TypeError, AttributeError, ValueError):
                return json_answer(400, {"error": "Die Anfrage ist nicht zu lesen"})

        return serve

    def _caller(self, request: web.Request) -> Person:
        person = self._people.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if person is None:
            raise Refused(401, "Das Zugriffstoken ist ungültig")
        if "User-Agent" not in request.headers:
            raise Refused(418, "I'm a teapot")
        return person

    async def _instance(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        statuses = {"max_characters": LONGEST, "max_media_attachments": FILES, "characters_reserved_per_url": 23}
        media = {
            "supported_mime_types": ["image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4"],
            "image_size_limit": 16 * 2**20,
            "video_size_limit": 99 * 2**20,
            "description_limit": LONGEST_ALT,
        }
        version = "4.6.4" if self._own else "0.19.1+git-8eb8d4f"
        told = {"domain": "sandbox.test", "version": version, "title": "Sandbox"}
        return 200, {**told, "configuration": {"statuses": statuses, "media_attachments": media}}, {}

    async def _whoami(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        return 200, self._owner(self._caller(request)), {}

    async def _upload(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        caller, form = self._caller(request), await request.post()
        sent, description = form["file"], form.get("description")
        if not isinstance(sent, web.FileField) or not sent.content_type.startswith(("image/", "video/")):
            raise Refused(422, "Gültigkeitsprüfung ist fehlgeschlagen: Datei hat einen ungültigen Typ")
        if description is not None and len(str(description)) > LONGEST_ALT:
            raise Refused(422, "Gültigkeitsprüfung ist fehlgeschlagen: Beschreibung ist zu lang")
        is_film = sent.content_type.startswith("video/")
        file = File(
            id=str(next(self._numbers) + 10**6),
            owner=caller.id,
            mime=sent.content_type,
            description=self.kept(str(description)) if description is not None else None,
            looks=self._looks if is_film and self._own else 0,
        )
        self._files[file.id] = file
        return 202 if file.looks else 200, file_shape(file, ready=not file.looks), {}

    async def _file(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        file = self._files.get(request.match_info["id"])
        if file is None or file.owner != self._caller(request).id:
            raise Refused(404, "Datensatz nicht gefunden")
        file.looks = max(file.looks - 1, 0)
        return 206 if file.looks else 200, file_shape(file, ready=not file.looks), {}

    async def _post(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        caller, body = self._caller(request), await request.json()
        key = (caller.id, request.headers.get("Idempotency-Key", ""))
        before, until = self._by_key.get(key, ("", 0.0))
        if self._own and key[1] and before in self._statuses and until > self.clock():
            return 200, self._shape(self._statuses[before]), {}
        status = self._status(caller, body)
        self._statuses[status.id] = status
        self._by_key[key] = (status.id, self.clock() + KEY_SECONDS)
        for file in status.files:
            file.status = status.id
        return 200, self._shape(status), {}

    def _status(self, caller: Person, body: Mapping[str, Any]) -> Status:
        text, spoiler = body.get("status") or "", body.get("spoiler_text") or ""
        files = self._attached(caller, body.get("media_ids") or [])
        if not text.strip() and not files:
            raise Refused(422, "Gültigkeitsprüfung ist fehlgeschlagen: Text muss ausgefüllt werden")
        if counted(spoiler, text, as_it_is=not self._own) > LONGEST:
            words = f"Gültigkeitsprüfung ist fehlgeschlagen: Zeichenlimit von {LONGEST} überschritten"
            raise Refused(422 if self._own else 400, words)
        if body.get("visibility", "public") not in VISIBLE:
            raise Refused(422, "Gültigkeitsprüfung ist fehlgeschlagen: Sichtbarkeit ist kein gültiger Wert")
        return Status(
            id=str(next(self._numbers) + 10**15),
            owner=caller,
            text=self.kept(text) or "",
            spoiler=spoiler,
            visibility=body.get("visibility", "public"),
            sensitive=bool(body.get("sensitive")),
            language=body.get("language"),
            files=files,
            serial=next(self._numbers),
            created=self.clock(),
            dated=self.now(),
        )

    def _attached(self, caller: Person, ids: Sequence[str]) -> tuple[File, ...]:
        files = [self._files.get(id) for id in ids]
        if len(ids) > FILES:
            raise Refused(422, "Es können nicht mehr als 4 Dateien angehängt werden")
        found = tuple(file for file in files if file is not None and file.owner == caller.id and file.status is None)
        if len(found) < len(ids):
            raise Refused(422 if self._own else 400, "Datei nicht gefunden, oder schon angehängt")
        if any(file.looks for file in found):
            raise Refused(422, "Dateien, die noch nicht verarbeitet sind, können nicht angehängt werden")
        if len(found) > 1 and any(file.mime.startswith("video/") for file in found):
            raise Refused(422, "Ein Video kann nicht mit anderen Dateien angehängt werden")
        return found

    async def _show(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        return 200, self._shape(self._found(request)), {}

    async def _delete(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        status = self._found(request)
        if status.owner != self._caller(request):
            raise Refused(404, "Datensatz nicht gefunden")
        del self._statuses[status.id]
        return 200, {**self._shape(status), "text": status.text}, {}

    async def _list(self, request: web.Request) -> tuple[int, Any, dict[str, str]]:
        self._caller(request)
        owner, size = request.match_info["id"], min(int(request.query.get("limit", "20")), 40)
        behind, bookmark = request.query.get("max_id"), None
        if behind is not None and not behind.isdigit():
            behind, bookmark = None, behind
        mine = (
            status
            for status in reversed(self._statuses.values())
            if status.owner.id == owner and (behind is None or int(status.id) < int(behind))
        )
        page = self.page(mine, size=size, bookmark=bookmark)
        following = f'<{request.url.with_query(limit=str(size), max_id=page.bookmark or "")}>; rel="next"'
        return 200, [self._shape(status) for status in page.items], {"Link": following} if page.bookmark else {}

    def _found(self, request: web.Request) -> Status:
        status = self._statuses.get(request.match_info["id"])
        if status is None:
            raise Refused(404, "Datensatz nicht gefunden")
        return status

    def _owner(self, person: Person) -> dict[str, Any]:
        address = f"https://sandbox.test/@{person.username}"
        names = {"username": person.username, "acct": person.username, "display_name": person.username.title()}
        return {"id": person.id, **names, "url": address, "avatar": f"{address}.png"}

    def _shape(self, status: Status) -> dict[str, Any]:
        return {
            "id": status.id,
            "created_at": iso(status.dated),
            "content": written(status.text),
            "spoiler_text": status.spoiler,
            "visibility": status.visibility,
            "sensitive": status.sensitive,
            "language": status.language,
            "url": f"https://sandbox.test/@{status.owner.username}/{status.id}",
            "uri": f"https://sandbox.test/users/{status.owner.username}/statuses/{status.id}",
            "account": self._owner(status.owner),
            "media_attachments": [file_shape(file, ready=True) for file in status.files],
        }
