"""The people of the stand-in: their app passwords, and the sessions that they open."""

import base64
import random
from collections.abc import Callable
from itertools import count

import msgspec

from adapters.bluesky.sandbox.refusal import Refused

ACCESS_SECONDS, REFRESH_SECONDS = 7200.0, 7_776_000.0
PASSWORD = "abcd-efgh-ijkl-mnop"  # noqa: S105 - it opens nothing but this stand-in


class Person(msgspec.Struct, kw_only=True):
    """Somebody with an account."""

    did: str
    handle: str


class _Token(msgspec.Struct, frozen=True, kw_only=True):
    person: Person
    refreshes: bool
    ends: float


class People:
    """Everybody who has an account, and every token that was given out."""

    def __init__(self, clock: Callable[[], float], rng: random.Random) -> None:
        self.by_did: dict[str, Person] = {}
        self._tokens: dict[str, _Token] = {}
        self._clock = clock
        self._rng = rng
        self._numbers = count(1)

    def add(self) -> Person:
        """One more."""
        number = next(self._numbers)
        did = "did:plc:" + "".join(self._rng.choices("234567abcdefghijklmnopqrstuvwxyz", k=24))
        person = self.by_did[did] = Person(did=did, handle=f"sandbox-{number}.test")
        return person

    def named(self, name: str) -> Person | None:
        """By handle or DID."""
        return self.by_did.get(name) or next((p for p in self.by_did.values() if p.handle == name.lower()), None)

    def sign_in(self, name: str, password: str) -> dict[str, str]:
        """A new session."""
        person = self.named(name)
        if person is None or password != PASSWORD:
            raise Refused(401, "AuthenticationRequired", "Invalid identifier or password")
        return self.opened(person)

    def opened(self, person: Person) -> dict[str, str]:
        """The two tokens of a new session, and whose it is."""
        access, refresh = self._issue(person, ACCESS_SECONDS), self._issue(person, REFRESH_SECONDS, refreshes=True)
        return {"accessJwt": access, "refreshJwt": refresh, "did": person.did, "handle": person.handle}

    def caller(self, header: str | None, *, refreshing: bool = False) -> Person:
        """Whose token came along."""
        if not header:
            raise Refused(401, "AuthMissing", "Authentication Required")
        token = self._tokens.get(header.removeprefix("Bearer "))
        if token is None or token.refreshes != refreshing:
            raise Refused(400, "InvalidToken", "Token could not be verified")
        if token.ends <= self._clock():
            raise Refused(400, "ExpiredToken", "Token has expired")
        return token.person

    def whose(self, header: str | None) -> str | None:
        """The DID behind a token, good or not."""
        token = self._tokens.get((header or "").removeprefix("Bearer "))
        return token.person.did if token else None

    def end(self, did: str, *, refreshing: bool = False) -> None:
        """The access tokens of somebody are over, or with `refreshing` all."""
        for text, token in self._tokens.items():
            if token.person.did == did and (refreshing or not token.refreshes):
                self._tokens[text] = msgspec.structs.replace(token, ends=0.0)

    def _issue(self, person: Person, seconds: float, *, refreshes: bool = False) -> str:
        now = self._clock()
        claims = {"sub": person.did, "iat": int(now), "exp": int(now + seconds), "jti": self._rng.getrandbits(64)}
        body = base64.urlsafe_b64encode(msgspec.json.encode(claims)).rstrip(b"=").decode()
        text = f"eyJhbGciOiJFUzI1NksifQ.{body}.{self._rng.getrandbits(128):032x}"
        self._tokens[text] = _Token(person=person, refreshes=refreshes, ends=now + seconds)
        return text
