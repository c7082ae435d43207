"""A trial: an adapter at work against its sandbox, with a journal in memory that can be made to crash."""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, TypeVar

import httpx
import msgspec

from core.accounts.introduction import introduce
from core.adapter import Certainty, Pending, Published
from core.answers import UNREADABLE
from core.clock import Deadline
from core.conformance.specimens import picture
from core.conformance.subject import NotExamined, Subject
from core.drafting import AnyAdapter
from core.errors import BrokenAdapter, OutcomeUnknown, RateLimited, Unavailable
from core.http import open_transport
from core.limits import Remaining, category_of
from core.post import Account, Draft, Media
from core.sandbox import RunningSandbox, Sandbox, Seed, running
from core.session import Journal, Passage, Session, Unarmed
from core.streams import MediaFile

LEASE_SECONDS = 600.0
REQUEST_SECONDS = 60.0
ROUNDS = 40
"""How often an attempt is followed by another before a delivery is said to be stuck."""

LOOK_BACK = timedelta(minutes=2)

T = TypeVar("T")


class Crash(BaseException):
    """Our process ends here."""


class Clock:
    """The time on the platform, which goes on while an attempt waits: `ahead` is by how many seconds."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        """Unix seconds."""
        return time.time() + self.ahead


class Notebook:
    """What a delivery has on disk. `crash_at` is the number of the commit at which the process ends.

    With `written` it ends behind that commit, else before it.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {}
        self.armed = False
        self.commits = 0
        self.crash_at: int | None = None
        self.written = False

    async def arm(self, name: str, answers: dict[str, Any]) -> Deadline:
        """Commit that a point of no return is about to be passed."""
        self._commit(answers, arms=True)
        return Deadline.after(LEASE_SECONDS)

    async def remember(self, answers: dict[str, Any]) -> None:
        """Commit the answers of steps."""
        self._commit(answers, arms=False)

    async def hold(self) -> None:
        """Nobody else wants it."""

    def _commit(self, answers: dict[str, Any], *, arms: bool) -> None:
        self.commits += 1
        ends = self.commits == self.crash_at
        if ends and not self.written:
            raise Crash
        # What is not JSON would not come back as it was.
        self.answers |= msgspec.json.decode(msgspec.json.encode(answers))
        self.armed = self.armed or arms
        if ends:
            raise Crash


class Counted:
    """A way through the platform's quotas that lets every call go of which it is declared what it counts as."""

    def __init__(self, adapter: AnyAdapter) -> None:
        self._operations = tuple(adapter.operations.items())

    async def enter(self, method: str, path: str) -> "Counted":
        """Let a call go. Raises `BrokenAdapter` for one that no operation names, as every worker does."""
        if category_of(self._operations, method, path) is None:
            raise BrokenAdapter(f"{method} {path} has no category; name it in the adapter's operations.")
        return self

    def ended(self) -> None:
        """Nothing is kept."""

    def learn(self, told: Iterable[Remaining]) -> None:
        """Nothing is learnt."""

    async def refused(self, seconds: float) -> None:
        """Nothing waits."""


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """How a delivery ended: published, refused with an error, or left to a person."""

    published: Published | None = None
    error: Exception | None = None
    review: bool = False


class Trial:
    """A sandbox that runs, an account on it, and the way to it.

    `seed` has the account's tokens, `connected` is the number of the last call that connecting it took.
    """

    connected = 0
    passage: Passage | None = None

    def __init__(
        self,
        subject: Subject,
        at: RunningSandbox[Sandbox],
        seed: Seed,
        transport: httpx.AsyncBaseTransport,
        clock: Clock,
    ) -> None:
        self.clock = clock
        self.subject = subject
        self.adapter = subject.adapter
        self.sandbox = at.sandbox
        self.url = at.url
        self.seed = seed
        self.hosts = dict.fromkeys(self.adapter.hosts, at.url)
        self.transport = transport
        self.account = Account(id="", platform=self.adapter.platform, username="", external_user="")

    async def settle_in(self) -> None:
        """Connect the account."""
        profile, channels = await introduce(
            self.adapter, self.seed.access_token, hosts=self.hosts, transport=self.transport, way=self.sandbox.way
        )
        self.account = Account(
            id="account",
            platform=self.adapter.platform,
            username=profile.username,
            external_user=profile.external_user,
            channels=tuple(channels),
            channel_id=self.seed.channel_id or None if self.adapter.one_channel else None,
            facts=profile.facts,
        )
        self.subject = msgspec.structs.replace(
            self.subject, account=self.account, channel_id=self.seed.channel_id or self.subject.channel_id
        )
        self.connected = max((call.id for call in self.sandbox.log.calls()), default=0)

    @property
    def certainty(self) -> Certainty:
        """How an unclear outcome at the account is settled."""
        return self.adapter.certainty_of(self.account)

    def blocks(self) -> list[dict[str, Any]]:
        """Sound blocks for the account."""
        return list(self.subject.blocks(f"{self.url}/_sandbox/picture.png"))

    def draft(self, block: dict[str, Any]) -> Draft[Any]:
        """The draft of a block. Raises `NotExamined` where it is refused: that is another check's to tell."""
        made = self.subject.drafted(block)
        faults = [finding for finding in made.findings if finding.severity == "error"]
        if made.draft is None or faults:
            raise NotExamined(f"the adapter's own example is refused: {'; '.join(f.message for f in faults)}")
        return made.draft

    def session(self, journal: Journal, steps: dict[str, Any], *, key: str = "", token: str | None = None) -> Session:
        """A session of the account."""
        return Session(
            self.adapter,
            account=self.account,
            token=self.seed.access_token if token is None else token,
            hosts=self.hosts,
            key=key,
            transport=self.transport,
            journal=journal,
            steps=steps,
            open_file=self._opened,
            request_seconds=REQUEST_SECONDS,
            passage=self.passage,
        )

    def shelf(self) -> list[dict[str, Any]]:
        """What was published. Raises `NotExamined` where the sandbox does not tell it in the way it has to."""
        live = msgspec.to_builtins(self.sandbox.live())
        name = self.sandbox.shelf
        things = live.get(name) if isinstance(live, dict) else None
        if not isinstance(things, list) or any(not isinstance(thing, dict) or "id" not in thing for thing in things):
            raise NotExamined(f"the sandbox's live() has no list '{name}' of objects with an id")
        return things

    def fault(self, kind: str, *, on: str = "*", **more: Any) -> None:
        """Switch a fault on."""
        self.sandbox.faults.add({"on": on, "fault": kind, **more})

    @asynccontextmanager
    async def _opened(self, media: Media) -> AsyncIterator[MediaFile]:
        content = picture(media) if media.kind == "image" else bytes(media.bytes or 1)

        async def pieces() -> AsyncGenerator[bytes, None]:
            yield content

        mime = media.mime or "image/png"
        yield MediaFile(pieces, mime=mime, bytes=len(content), name=f"file.{mime.partition('/')[2]}")


class Delivery:
    """One draft on its way, through as many attempts as it takes: the engine's rules in small."""

    def __init__(self, trial: Trial, draft: Draft[Any], key: str) -> None:
        self.trial = trial
        self.draft = draft
        self.key = key
        self.notebook = Notebook()
        self._pending: dict[str, Any] | None = None
        self._unclear = False

    async def to_the_end(self) -> Ending:
        """Attempt after attempt, until it is published, refused, or a person has to look."""
        for _ in range(ROUNDS):
            ending = await self._look() if self._unclear and self._looks else await self._attempt()
            if ending is not None:
                return ending
        return Ending(error=TimeoutError(f"it did not end within {ROUNDS} attempts"))

    async def attempt(self) -> Published | Pending:
        """One attempt; raises what the adapter raises."""
        session = self.trial.session(self.notebook, self.notebook.answers, key=self.key)
        adapter = self.trial.adapter
        if self._pending is not None:
            result = await adapter.resume(self.draft, session, self._pending)
        else:
            result = await adapter.publish(self.draft, session)
        if isinstance(result, Pending):
            self._pending = msgspec.json.decode(msgspec.json.encode(result.state))
            await session.save()
        return result

    @property
    def _looks(self) -> bool:
        return self.trial.certainty != "key"

    async def _attempt(self) -> Ending | None:
        try:
            result = await self.attempt()
        except Crash:
            self._unclear = self.notebook.armed
        except OutcomeUnknown:
            self._unclear = True
        except RateLimited as error:
            self.trial.clock.ahead += error.after.total_seconds()
        except (Unavailable, *UNREADABLE):
            pass
        except Exception as error:  # noqa: BLE001 - the adapter's, whatever it is
            return Ending(error=error)
        else:
            return Ending(published=result) if isinstance(result, Published) else None
        return None

    async def _look(self) -> Ending | None:
        adapter = self.trial.adapter
        if self.trial.certainty == "none":
            return Ending(review=True)
        session = self.trial.session(Unarmed(), self.notebook.answers, key=self.key)
        try:
            found = await adapter.find(self.draft, session, datetime.fromtimestamp(self.trial.clock(), UTC) - LOOK_BACK)
        except (Unavailable, RateLimited, *UNREADABLE):
            return None
        except Exception as error:  # noqa: BLE001 - the adapter's, whatever it is
            return Ending(error=error)
        self._unclear = self.notebook.armed = False
        return Ending(published=found[0]) if found else None


@asynccontextmanager
async def trial(subject: Subject) -> AsyncIterator[Trial]:
    """A fresh sandbox with one account. Raises `NotExamined` where the adapter has none."""
    if subject.sandbox is None:
        raise NotExamined("the adapter names no sandbox")
    transport = open_transport(guard=None)
    more: dict[str, Any] = {"way": subject.way} if subject.way else {}
    try:
        clock = Clock()
        fake = subject.sandbox(rng=Random(1), clock=clock, **more)  # noqa: S311 - nothing is secret here
        async with running(fake) as at:
            made = Trial(subject, at, at.sandbox.seed(), transport, clock)
            await made.settle_in()
            yield made
    finally:
        await transport.aclose()


async def raised(call: Callable[[], Awaitable[T]]) -> Exception | None:
    """What a call raises."""
    try:
        await call()
    except Exception as error:  # noqa: BLE001 - it is what is asked for
        return error
    return None
