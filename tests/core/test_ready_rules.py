"""Rules ready-made, ways of being connected, and what is said of files: what adapters need not write themselves."""

from typing import Any, ClassVar

import httpx
import msgspec
import pytest

from core.adapter import Adapter, Fill, Profile, Published
from core.drafting import Drafted, drafted
from core.limits import FileLimits, Limits, MediaLimits, Quota, TextLimit
from core.post import Account, Block, Channel, Draft, Media, Shared
from core.rules import gives_one_of, names_channel, only_by
from core.session import Session

PICTURE = Media(upload_id="u1", kind="image", mime="image/png", bytes=10, alt_text="A dog that sleeps")
OTHER = msgspec.structs.replace(PICTURE, upload_id="u2", alt_text="A cat that sleeps")


class Shout(Block, frozen=True, kw_only=True):
    text: str | None = None
    cards: list[str] = []
    room_id: str | None = None
    alt_text: str | None = None
    author: str | None = None


class Megaphone(Adapter[Shout]):
    platform, label, certainty = "MEGAPHONE", "Megaphone", "key"
    ways: ClassVar[dict[str, Any]] = {"hook": "none", "robot": "key"}
    hosts = {"api": "http://127.0.0.1:1"}
    limits = Limits(
        texts=(TextLimit(field="altText", most=10),), media=MediaLimits(count=(0, 2), image=FileLimits(), by="bytes")
    )
    quotas = (
        Quota(calls=5, seconds=60, scope="account", category="shout"),
        Quota(calls=2, seconds=10, scope="account", category="shout"),
    )
    operations = {"POST /rooms/*": "shout", "GET *": "read"}
    rate_headers, authorization = "x-left", "Robot {token}"
    fills = (Fill(field="altText", source="alt_text", if_it_fits=True),)

    says = gives_one_of("megaphone.empty", "Say something.", "text", "cards", "media")
    where = names_channel("megaphone.room", "roomId")
    who = only_by("megaphone.author", "Only a hook's shouts have an author.", "hook", {"author": "Ann"})

    async def publish(self, draft: Draft[Shout], session: Session) -> Published:
        raise NotImplementedError

    async def profile(self, session: Session) -> Profile:
        raise NotImplementedError


def account(*rooms: str, way: str = "robot", closed: tuple[str, ...] = ()) -> Account:
    channels = tuple(Channel(id=room, name=f"Room {room}", writable=room not in closed) for room in rooms)
    facts = {"way": way} if way else {}
    return Account(id="a", platform="MEGAPHONE", username="m", external_user="1", channels=channels, facts=facts)


def made(block: dict[str, Any], at: Account | None = None) -> Drafted:
    uploads = {"u1": PICTURE, "u2": OTHER}
    whose = account("7") if at is None else at
    return drafted(Megaphone(), Shared(), block, path=("data", "MEGAPHONE"), account=whose, uploads=uploads)


def codes(found: Drafted) -> set[str]:
    return {finding.code for finding in found.findings}


@pytest.mark.parametrize("block", [{"text": "Hi"}, {"cards": ["x"]}, {"uploadIds": ["u1"]}])
def test_one_of_several_fields_is_enough(block: dict[str, Any]) -> None:
    assert codes(made(block)) <= {"shortened"}


@pytest.mark.parametrize("block", [{}, {"text": " \n"}, {"cards": []}, {"altText": "A dog"}])
def test_a_post_that_says_nothing_is_told(block: dict[str, Any]) -> None:
    assert codes(made(block)) == {"megaphone.empty"}


def test_a_channel_is_named_where_there_are_several() -> None:
    several = account("7", "8", "9", closed=("9",))
    (finding,) = made({"text": "Hi"}, several).findings
    assert (finding.code, finding.path) == ("megaphone.room", ("data", "MEGAPHONE", "roomId"))
    assert finding.message == "Give roomId: 7 (Room 7), 8 (Room 8)."
    (none,) = made({"text": "Hi"}, account("9", closed=("9",))).findings
    assert none.message.startswith("The account has no channel that it may publish to")
    assert codes(made({"text": "Hi", "roomId": "8"}, several)) == set()
    assert codes(made({"text": "Hi", "roomId": "9"}, several)) == {"megaphone.room"}


@pytest.mark.parametrize(
    ("rooms", "named", "meant"),
    [(("7",), None, "7"), (("7",), "7", "7"), (("7",), "8", None), (("7", "8"), None, None), ((), None, None)],
)
def test_the_channel_that_is_meant_is_the_one_named_or_the_only_one(
    rooms: tuple[str, ...], named: str | None, meant: str | None
) -> None:
    assert account(*rooms).channel(named) == meant
    assert account("7", "8", closed=("8",)).channel(None) == "7"


def test_a_field_of_one_way_is_warned_of_in_another() -> None:
    block = {"text": "Hi", "author": "Ann"}
    (finding,) = made(block).findings
    assert (finding.code, finding.severity) == ("megaphone.author", "warning")
    assert codes(made(block, account("7", way="hook"))) == set()


def test_each_way_has_a_certainty_of_its_own() -> None:
    found = {way: Megaphone().certainty_of(account("7", way=way)) for way in ("hook", "robot", "")}
    assert found == {"hook": "none", "robot": "key", "": "key"}


def test_what_is_said_of_a_file_is_the_blocks_or_its_own_cut_to_what_fits() -> None:
    found = made({"uploadIds": ["u1", "u2"], "altText": "A dog"})
    assert found.draft is not None
    assert [media.alt_text for media in found.draft.media] == ["A dog", "A cat tha…"]
    (finding,) = found.findings
    assert (finding.code, finding.path, finding.severity) == (
        "shortened", ("data", "MEGAPHONE", "uploadIds", 1), "warning",
    )  # fmt: skip


def test_what_does_not_fit_the_field_is_passed_over_and_cut_for_the_file() -> None:
    found = made({"uploadIds": ["u1"]})
    assert found.draft is not None
    assert found.draft.block.alt_text is None
    assert [media.alt_text for media in found.draft.media] == ["A dog tha…"]
    assert codes(made({"uploadIds": ["u1"], "altText": "x" * 11})) == {"too_long"}


def sent(url: str, token: str) -> httpx.Request:
    request = httpx.Request("POST", f"http://127.0.0.1:1{url}")
    Megaphone().authorize(request, token)
    return request


def test_a_token_stands_in_the_header_or_where_the_path_wants_it() -> None:
    header = sent("/rooms/7?wait=true", "t/1")
    assert header.headers["Authorization"] == "Robot t/1"
    path = sent("/hooks/{token}/a%2Fb?wait=true", "12/a b?c")
    assert "Authorization" not in path.headers
    assert path.url.raw_path == b"/hooks/12/a%20b%3Fc/a%2Fb?wait=true"


@pytest.mark.parametrize("reset", ["x-left-reset", "x-left-reset-after"])
def test_what_is_left_is_told_of_the_narrowest_quota_of_the_call(reset: str) -> None:
    headers = {"x-left-remaining": "3", reset: "4.5"}
    told = Megaphone().remaining(httpx.Response(200, headers=headers, request=sent("/rooms/7", "t")))
    assert [(each.category, each.seconds, each.calls, each.reset) for each in told] == [("shout", 10, 3, 4.5)]
    unnamed = httpx.Request("GET", "http://127.0.0.1:1/me")
    assert Megaphone().remaining(httpx.Response(200, headers=headers, request=unnamed)) == ()
    assert Megaphone().remaining(httpx.Response(200, request=sent("/rooms/7", "t"))) == ()
