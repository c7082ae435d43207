"""Pinterest: what a Pin may be, and how it is made and found again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
import msgspec

from adapters.pinterest.aftercare import PinCare
from adapters.pinterest.analytics import PinInsights
from adapters.pinterest.block import PinBlock, PinDraft
from adapters.pinterest.boards import (
    Boards,
    board_of,
    board_path,
    boards_named,
    list_boards,
    makes_board,
    sent_board,
    verdict_on_name,
)
from adapters.pinterest.contract import LEAVES, STRICTER, USES
from adapters.pinterest.errors import REFUSALS, classify, classify_token
from adapters.pinterest.likeness import CUT, is_newest_first, likeness, plain
from adapters.pinterest.meter import remaining
from adapters.pinterest.sources import Source, covered, covers, film_of, is_film, make, pictures
from adapters.pinterest.videos import REHEARSAL, unready, upload
from adapters.pinterest.wire import Owner, Pin, pages
from fingerpost import (
    Adapter,
    Channel,
    FileLimits,
    Fill,
    Limits,
    MediaLimits,
    OAuth,
    Pending,
    Profile,
    Published,
    PublishError,
    Quota,
    Remaining,
    Session,
    rule,
)

STANDARD = (
    Quota(calls=100, seconds=1, scope="account", category="all"),
    Quota(calls=100, seconds=60, scope="account", category="org_write"),
    Quota(calls=1000, seconds=60, scope="account", category="org_read"),
    Quota(calls=60, seconds=60, scope="account", category="org_analytics"),
)
TRIAL = (
    Quota(calls=1000, seconds=86_400, scope="app", category="all"),
    Quota(calls=300, seconds=86_400, scope="app", category="org_write"),
    Quota(calls=1000, seconds=86_400, scope="app", category="org_read"),
    Quota(calls=1000, seconds=86_400, scope="app", category="org_analytics"),
)
"""What Pinterest allows by access tier (its page "Rate limits")."""


def first_line(text: str) -> str:
    """The first line of a text that has something in it."""
    return text.strip().partition("\n")[0].strip()


class Pinterest(Adapter[PinBlock]):
    """Pinterest API v5. There is no idempotency key: an unclear create is looked up on its board.

    Native scheduling does not exist; a Pin is made when it is due.
    """

    platform = "PINTEREST"
    label = "Pinterest"
    certainty = "read-back"
    hosts = {"api": "https://api.pinterest.com", "web": "https://www.pinterest.com"}
    limits = Limits(
        media=MediaLimits(
            count=(1, 5),
            mix=True,
            image=FileLimits(
                mimes=("image/jpeg", "image/png"),
                bytes_max=20_000_000,
                pixels_advised=(600, 900),
                ratio_advised=(2, 3),
            ),
            video=FileLimits(
                count_max=1,
                mimes=("video/mp4", "video/quicktime", "video/x-m4v"),
                bytes_max=2_000_000_000,
                ratio=(0.5, 1.91),
                seconds=(4, 900),
                video_codecs=("h264", "hevc"),
            ),
        )
    )
    quotas = STANDARD
    tiers = {"standard": STANDARD, "trial": TRIAL}
    operations = {
        "POST /v5/oauth/token": "org_read",
        "GET /v5/*analytics*": "org_analytics",
        "GET /v5/*": "org_read",
        "POST /v5/*": "org_write",
        "PATCH /v5/*": "org_write",
        "DELETE /v5/*": "org_write",
    }
    uses, leaves, stricter = USES, LEAVES, STRICTER
    rehearsal = {
        "POST /v5/pins": {"id": "<the Pin's id>"},
        "GET /v5/boards": {"items": []},
        "POST /v5/boards": {"id": "<the board's id>", "name": "<its name>"},
        **REHEARSAL,
    }
    places = Boards()
    aftercare = PinCare()
    insights = PinInsights()
    connect = OAuth(
        authorize_url="{web}/oauth/",
        token_url="{api}/v5/oauth/token",  # noqa: S106 - an address
        scopes=("boards:read", "boards:write", "pins:read", "pins:write", "user_accounts:read"),
        scope_separator=",",
        # Pinterest's description of its token endpoint has no place for a verifier.
        pkce=False,
        token_params={"continuous_refresh": "true"},
    )
    sandbox = "adapters.pinterest.sandbox:PinterestSandbox"
    refusals = REFUSALS
    fills = (
        Fill(field="text", source="text", part=first_line, if_it_fits=True),
        Fill(
            field="text",
            source="title",
            if_it_fits=True,
            warning="The Pin has no title of its own (text); the post's title is used.",
        ),
        Fill(field="description", source="text"),
        Fill(field="link", source="link"),
        Fill(field="altText", source="alt_text"),
    )

    @rule(
        "pinterest.video",
        "A video Pin has one video and, beside it, at most one picture, which is its cover. Pinterest's API makes no "
        "Idea Pins: send two to five pictures, or one video.",
        at="uploadIds",
        breaks={"mediaUrls": None, "uploadIds": ["video", "image", "image-2"]},
    )
    def is_one_thing(self, draft: PinDraft) -> bool:
        """Idea Pins, of several pages or videos, cannot be created through the API."""
        if len(draft.media) < 2:
            return True
        films = sum(map(is_film, draft.media))
        return films == 0 or (films == 1 and len(draft.media) <= 2)

    @rule(
        "pinterest.video-cover",
        "A video Pin needs a cover: put a picture beside the video, or give thumbnail or thumbnailOffset.",
        at="thumbnail",
        breaks={"mediaUrls": None, "uploadIds": ["video"]},
    )
    def has_a_cover(self, draft: PinDraft) -> bool:
        """Pinterest's description does not say so, and its API refuses a video without."""
        return film_of(draft) is None or len(covers(draft)) > 0

    @rule(
        "pinterest.cover-unused",
        "Only one cover is used, and only of a video: a picture beside it goes before thumbnail, and that before "
        "thumbnailOffset.",
        at="thumbnail",
        severity="warning",
        breaks={"thumbnail": "https://example.com/cover.jpg"},
    )
    def uses_its_cover(self, draft: PinDraft) -> bool:
        """What is not used is told."""
        block = draft.block
        # Then a picture beside a film is the one cover that there may be.
        if block.thumbnail is None and block.thumbnail_offset is None and len(draft.media) <= 2:
            return True
        return len(covers(draft)) <= (0 if film_of(draft) is None else 1)

    @rule(
        "pinterest.carousel-shape",
        "The pictures of a carousel should have the same shape; Pinterest may crop or refuse others.",
        at="uploadIds",
        severity="warning",
        breaks={"mediaUrls": None, "uploadIds": ["image", "image-wide"]},
    )
    def has_pictures_of_one_shape(self, draft: PinDraft) -> bool:
        """Other publishers refuse differing shapes; Pinterest's description says nothing of it."""
        if len(draft.media) < 2 or film_of(draft) is not None:
            return True
        shapes = [media.width / media.height for media in draft.media if media.width and media.height]
        return not shapes or max(shapes) / min(shapes) < 1.02

    @rule(
        "pinterest.board",
        "Say where the Pin goes: give boardId or boardName.",
        at=("boardId", "boardName"),
        breaks={"boardId": None},
    )
    def names_a_board(self, draft: PinDraft) -> bool:
        """A Pin needs a board; there is never a silent default."""
        return bool(draft.block.board_id or draft.block.board_name)

    @rule(
        "pinterest.board-name",
        "boardName has to be the name of one board that the account has; createBoard makes one.",
        at="boardName",
        breaks={"boardId": None, "boardName": "No such board"},
    )
    def names_a_board_that_is_there(self, draft: PinDraft) -> bool | str:
        """Upper and lower case are the same, and a name that several boards have is never guessed."""
        block = draft.block
        if block.board_id or not block.board_name or draft.account is None:
            return True
        return verdict_on_name(block.board_name, draft)

    @rule(
        "pinterest.one-board",
        "boardId and boardName name different boards; boardId counts.",
        at=("boardName", "boardId"),
        severity="warning",
        breaks={"boardName": "No such board"},
    )
    def names_one_board(self, draft: PinDraft) -> bool:
        """Both may be given, if they mean the same."""
        block = draft.block
        if not block.board_id or not block.board_name or draft.account is None:
            return True
        return any(board.id == block.board_id for board in boards_named(block.board_name, draft))

    @rule(
        "pinterest.description-length",
        "Pinterest advises at most 500 characters; the rest may not be shown.",
        at="description",
        severity="warning",
        breaks={"description": "d" * 501},
    )
    def is_shown_whole(self, draft: PinDraft) -> bool:
        """The API takes 800 characters; Pinterest's Help Center gives 500."""
        return len(draft.block.description or "") <= 500

    @rule(
        "pinterest.link-host",
        "The link leads to no host; mend its address.",
        at="link",
        breaks={"link": "https://[0]/"},
    )
    def leads_to_a_host(self, draft: PinDraft) -> bool:
        """Pinterest refuses what looks like an address and is none."""
        link = draft.block.link
        # What has none of these and is a URL at all begins with a host; most are such, and are not taken apart.
        if link is None or (link.isascii() and "@" not in link and "[" not in link):
            return True
        try:
            return bool(urlsplit(link).hostname)
        except ValueError:
            return False

    @rule(
        "pinterest.link-https",
        "The link is not https; many browsers will warn of it.",
        at="link",
        severity="warning",
        breaks={"link": "http://example.com/"},
    )
    def links_securely(self, draft: PinDraft) -> bool:
        """The API takes http as well."""
        link = draft.block.link
        return link is None or link.startswith("https://") or link.lower().startswith("https://")

    async def publish(self, draft: PinDraft, session: Session) -> Published | Pending:
        """`POST /v5/pins`; a film is uploaded first, and waited for."""
        film = film_of(draft)
        if film is None:
            return await self._pin(draft, session, pictures(draft.media))
        media_id = await upload(film, session)
        return await self.resume(draft, session, {"media_id": media_id, "looks": 0})

    async def resume(self, draft: PinDraft, session: Session, state: dict[str, Any]) -> Published | Pending:
        """A film is asked for until it is ready; its Pin is made then."""
        wait = await unready(state["media_id"], state["looks"], session)
        if wait is not None:
            return Pending(state={**state, "looks": state["looks"] + 1}, after=wait)
        return await self._pin(draft, session, covered(draft, state["media_id"]))

    async def find(self, draft: PinDraft, session: Session, since: datetime) -> Sequence[Published]:
        """`GET /v5/boards/{board_id}/pins`, until a page that is in order, the newest first, holds only older Pins."""
        texts, path = _texts(draft), f"{board_path(sent_board(draft, session))}/pins"
        seen: list[Pin] = []
        recent: list[Pin] = []
        async for page in pages(session, path, Pin):
            new = [pin for pin in page if pin.made >= since.replace(microsecond=0)]
            seen += page
            recent += new
            if page and not new and is_newest_first(page):
                break
        longest = {name: max(len(plain(getattr(pin, name))) for pin in seen) for name in CUT} if seen else {}
        likenesses = [(pin, likeness(texts, pin, longest)) for pin in sorted(recent, key=lambda pin: pin.made)]
        return [_published(pin.id, session, exact=exact) for pin, exact in likenesses if exact is not None]

    async def _pin(self, draft: PinDraft, session: Session, source: Source) -> Published:
        body = {**_texts(draft), "board_id": await board_of(draft, session)}
        return _published(await make(body, source, session), session)

    async def profile(self, session: Session) -> Profile:
        """`GET /v5/user_account`."""
        response = await session.http.get("/v5/user_account")
        owner = msgspec.json.decode(response.content, type=Owner)
        return Profile(
            external_user=owner.id,
            username=owner.username,
            display_name=owner.business_name or owner.username,
            avatar_url=owner.profile_image,
            facts={"accountType": owner.account_type},
        )

    async def channels(self, session: Session) -> Sequence[Channel]:
        """`GET /v5/boards`, all pages."""
        return await list_boards(session)

    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        """A Pin with everything that makes it found."""
        return {
            "boardId": channel_id,
            "text": "New arrival",
            "description": "Our latest drop - tap to shop.",
            "link": "https://example.com/products/new-arrival",
            "altText": "New arrival product shot on white background",
            "mediaUrls": [picture_url],
        }

    def calls(self, draft: PinDraft) -> Mapping[str, int]:
        """One create, or two where the board is made as well."""
        return {"org_write": 2 if makes_board(draft) else 1}

    def remaining(self, response: httpx.Response) -> Sequence[Remaining]:
        """From `x-ratelimit-*`, of which the limit is a structured string."""
        return remaining(response)

    def classify(self, response: httpx.Response) -> PublishError | None:
        """By Pinterest's code and message."""
        return classify(response)

    def classify_token(self, response: httpx.Response) -> PublishError | None:
        """By Pinterest's code; what it says of a refresh is not documented, so OAuth's own codes count as well."""
        return classify_token(response)


def _texts(draft: PinDraft) -> dict[str, Any]:
    block = draft.block
    texts: dict[str, Any] = {
        "title": block.text,
        "description": block.description,
        "link": block.link,
        "alt_text": block.alt_text,
        "dominant_color": block.dominant_color,
        "board_section_id": block.board_section_id,
    }
    disclosed = block.ai_disclosures or (["AI_MODIFIED"] if block.is_ai_generated else None)
    if disclosed:
        texts["ai_disclosures"] = {"values": disclosed}
    return {name: value for name, value in texts.items() if value is not None}


def _published(pin_id: str, session: Session, *, exact: bool = True) -> Published:
    return Published(external_id=pin_id, permalink=f"{session.hosts['web']}/pin/{pin_id}/", exact=exact)
