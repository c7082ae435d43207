"""The sandbox of Bluesky: one server with its people, their blobs and their posts."""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from http.client import responses
from itertools import count
from typing import Any, ClassVar

import msgspec
from aiohttp import web

from adapters.bluesky.sandbox.people import People, Person
from adapters.bluesky.sandbox.records import POST, TID, check_post
from adapters.bluesky.sandbox.refusal import Refused, invalid
from fingerpost import Sandbox, Seed, json_answer

XRPC = "/xrpc/com.atproto."
BLOB_BYTES = 5 * 2**20


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """A record in somebody's repository; `serial` and `created` are for lists."""

    uri: str
    cid: str
    record: dict[str, Any]
    serial: int
    created: float


class BlueskySandbox(Sandbox):
    """A strict, stateful fake of a personal data server.

    As on the real one, a record may be put again at its place, which changes nothing where it is the same; creating
    one at a place that is taken fails with 500; and tokens that ended are refused with 400.
    """

    platform: ClassVar[str] = "BLUESKY"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.people = People(self.clock, self.rng)
        self._posts: dict[str, Post] = {}
        self._blobs: dict[str, int] = {}
        self._serials = count(1)

    def routes(self) -> Sequence[web.RouteDef]:
        """The operations of `com.atproto` that publishing takes."""
        return [
            web.post(f"{XRPC}server.createSession", self._answered(self._sign_in)),
            web.post(f"{XRPC}server.refreshSession", self._answered(self._refresh)),
            web.get(f"{XRPC}server.getSession", self._answered(self._whoami), allow_head=False),
            web.get(f"{XRPC}identity.resolveHandle", self._answered(self._resolve), allow_head=False),
            web.post(f"{XRPC}repo.uploadBlob", self._answered(self._upload)),
            web.post(f"{XRPC}repo.createRecord", self._answered(self._create)),
            web.post(f"{XRPC}repo.putRecord", self._answered(self._put)),
            web.post(f"{XRPC}repo.deleteRecord", self._answered(self._delete)),
            web.get(f"{XRPC}repo.getRecord", self._answered(self._get), allow_head=False),
            web.get(f"{XRPC}repo.listRecords", self._answered(self._list), allow_head=False),
        ]

    def live(self) -> object:
        """Every post, the oldest first."""
        return {
            "posts": [
                {"id": post.uri, "text": post.record["text"], "created": post.created, "record": post.record}
                for post in self._posts.values()
            ]
        }

    def seed(self) -> Seed:
        """One more person, with a session."""
        person = self.people.add()
        session = self.people.opened(person)
        return Seed(
            access_token=session["accessJwt"],
            refresh_token=session["refreshJwt"],
            external_user=person.did,
            channel_id="",
            facts={"handle": person.handle},
        )

    def account_of(self, request: web.Request) -> str | None:
        """The DID of whoever calls."""
        return self.people.whose(request.headers.get("Authorization"))

    def error_body(self, status: int) -> object:
        """An error of which only the status is known."""
        name = responses.get(status, "Error")
        return {"error": name.replace(" ", ""), "message": name}

    def refusal_body(self, code: int | str | None, words: str) -> object:
        """A refusal in the shape of XRPC."""
        return {"error": str(code or "InvalidRequest"), "message": words}

    def _answered(
        self, work: Callable[[web.Request], Awaitable[dict[str, Any]]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            try:
                return json_answer(200, await work(request))
            except Refused as refused:
                return json_answer(refused.status, refused.body)
            except (KeyError, TypeError, AttributeError, ValueError, msgspec.DecodeError) as wrong:
                return json_answer(400, invalid(f"The request is not what the lexicon says: {wrong}").body)

        return serve

    def _caller(self, request: web.Request) -> Person:
        return self.people.caller(request.headers.get("Authorization"))

    async def _sign_in(self, request: web.Request) -> dict[str, Any]:
        body = await request.json()
        return dict(self.people.sign_in(body["identifier"], body["password"]))

    async def _refresh(self, request: web.Request) -> dict[str, Any]:
        return dict(self.people.opened(self.people.caller(request.headers.get("Authorization"), refreshing=True)))

    async def _whoami(self, request: web.Request) -> dict[str, Any]:
        caller = self._caller(request)
        return {"did": caller.did, "handle": caller.handle, "active": True}

    async def _resolve(self, request: web.Request) -> dict[str, Any]:
        person = self.people.named(request.query["handle"])
        if person is None:
            raise invalid("Unable to resolve handle")
        return {"did": person.did}

    async def _upload(self, request: web.Request) -> dict[str, Any]:
        self._caller(request)
        content = await request.read()
        if len(content) > BLOB_BYTES:
            raise Refused(413, "PayloadTooLarge", "request entity too large")
        reference = f"bafkrei{hashlib.sha256(content).hexdigest()[:52]}"
        self._blobs[reference] = len(content)
        blob = {"$type": "blob", "ref": {"$link": reference}, "mimeType": request.content_type, "size": len(content)}
        return {"blob": blob}

    async def _create(self, request: web.Request) -> dict[str, Any]:
        return await self._write(request, again=False)

    async def _put(self, request: web.Request) -> dict[str, Any]:
        return await self._write(request, again=True)

    async def _write(self, request: web.Request, *, again: bool) -> dict[str, Any]:
        caller, body = self._caller(request), await request.json()
        if body["repo"] not in (caller.did, caller.handle) or body["collection"] != POST:
            raise invalid("Could not find repo, or a collection that is not known here")
        if not TID.fullmatch(body["rkey"]):
            raise invalid("Invalid record key: no TID")
        check_post(body["record"], self._blobs, self._is_there)
        uri = f"at://{caller.did}/{POST}/{body['rkey']}"
        if uri in self._posts and not again:
            raise Refused(500, "InternalServerError", "Internal Server Error")
        cid = f"bafyrei{hashlib.sha256(msgspec.json.encode(body['record'], order='sorted')).hexdigest()[:52]}"
        before = self._posts.get(uri)
        if before is None or before.cid != cid:
            kept = {**body["record"], "text": self.kept(body["record"]["text"])}
            serial, created = (before.serial, before.created) if before else (next(self._serials), self.clock())
            self._posts[uri] = Post(uri=uri, cid=cid, record=kept, serial=serial, created=created)
        return {"uri": uri, "cid": cid, "validationStatus": "valid"}

    async def _delete(self, request: web.Request) -> dict[str, Any]:
        caller, body = self._caller(request), await request.json()
        self._posts.pop(f"at://{caller.did}/{body['collection']}/{body['rkey']}", None)
        return {}

    async def _get(self, request: web.Request) -> dict[str, Any]:
        repo, collection, rkey = (request.query[name] for name in ("repo", "collection", "rkey"))
        person = self.people.named(repo)
        post = self._posts.get(f"at://{person.did if person else repo}/{collection}/{rkey}")
        if post is None:
            raise Refused(400, "RecordNotFound", f"Could not locate record: at://{repo}/{collection}/{rkey}")
        return {"uri": post.uri, "cid": post.cid, "value": post.record}

    async def _list(self, request: web.Request) -> dict[str, Any]:
        repo = f"at://{request.query['repo']}/{request.query['collection']}/"
        mine = [post for post in reversed(self._posts.values()) if post.uri.startswith(repo)]
        page = self.page(mine, size=int(request.query.get("limit", "50")), bookmark=request.query.get("cursor"))
        told = [{"uri": post.uri, "cid": post.cid, "value": post.record} for post in page.items]
        return {"records": told, **({"cursor": page.bookmark} if page.bookmark else {})}

    def headers(self, request: web.Request) -> Mapping[str, str]:
        """The platform's time."""
        return {"Date": datetime.fromtimestamp(self.now(), UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")}

    def _is_there(self, uri: str, cid: str) -> bool:
        return uri in self._posts and self._posts[uri].cid == cid
