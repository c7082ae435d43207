"""The check of a whole request, over an adapter of its own."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from core.adapter import Adapter, Fill, Profile, Published
from core.check import Checked, Facts, check, named_uploads
from core.describe import schema
from core.drafting import Drafted, drafted
from core.limits import FileLimits, Limits, MediaLimits, TextLimit
from core.post import Account, Block, Draft, Media, Shared
from core.rules import rule
from core.session import Session


class Note(Block, frozen=True, kw_only=True):
    text: Annotated[str, Meta(max_length=20)] | None = None
    link: Annotated[str, Meta(max_length=30)] | None = None
    tag: Annotated[str, Meta(extra={"unused": "Tags are not used."})] | None = None


class Board(Adapter[Note]):
    platform, label, certainty = "BOARD", "Board", "none"
    hosts = {"api": "http://127.0.0.1:1"}
    limits = Limits(
        media=MediaLimits(
            count=(1, 2),
            image=FileLimits(
                mimes=("image/png",),
                bytes_max=1000,
                pixels_min=(10, 10),
                pixels_advised=(100, 100),
                ratio=(0.5, 2.0),
            ),
        )
    )
    fills: ClassVar[tuple[Fill, ...]] = (
        Fill(field="text", source="text"),
        Fill(field="text", source="title", if_it_fits=True, warning="The title is used."),
        Fill(field="link", source="link"),
    )

    @rule("board.words", "Say something.", at="text")
    def says(self, draft: Draft[Note]) -> bool:
        return bool(draft.block.text)

    @rule("board.shout", "Do not shout.", at="text", severity="warning")
    def speaks(self, draft: Draft[Note]) -> bool | str:
        return draft.block.text != "LOUD" or "LOUD is loud."

    async def publish(self, draft: Draft[Note], session: Session) -> Published:
        raise NotImplementedError

    async def profile(self, session: Session) -> Profile:
        raise NotImplementedError


class Short(Block, frozen=True, kw_only=True):
    words: str | None = None
    more: list[str] = []


class Counted(Adapter[Short]):
    """Counts two ways, takes media by URL alone, and allows each account what its facts say."""

    platform, label, certainty = "COUNTED", "Counted", "none"
    hosts = {"api": "http://127.0.0.1:1"}
    limits = Limits(
        texts=(
            TextLimit(field="words", most=5, counter="graphemes"),
            TextLimit(field="words", most=30, counter="bytes"),
            TextLimit(field="more", most=5, counter="graphemes"),
        ),
        media=MediaLimits(count=(0, 1), by="url", image=FileLimits()),
    )
    fills = (Fill(field="words", source="text"),)

    def limits_of(self, account: Account | None) -> Limits:
        if account is None:
            return self.limits
        (own,) = self.limits.of_text("more")
        return msgspec.structs.replace(self.limits, texts=(own, TextLimit(field="words", **account.facts)))

    async def publish(self, draft: Draft[Short], session: Session) -> Published:
        raise NotImplementedError

    async def profile(self, session: Session) -> Profile:
        raise NotImplementedError


class Silent(Board):
    platform = "SILENT"
    limits = Limits()


ADAPTERS: dict[str, Adapter[Any]] = {"BOARD": Board(), "SILENT": Silent(), "COUNTED": Counted()}
ANNA = Account(id="a1", platform="BOARD", username="anna", external_user="1")
BERT = Account(id="a2", platform="BOARD", username="bert", external_user="2")
CARL = Account(id="a3", platform="SILENT", username="carl", external_user="3")
PICTURE = Media(upload_id="u1", kind="image", mime="image/png", bytes=10, width=100, height=100)


def request(**changes: Any) -> dict[str, Any]:
    return {
        "teamId": "t",
        "title": "Title",
        "postDate": "2030-01-01T00:00:00Z",
        "status": "SCHEDULED",
        "socialAccountTypes": ["BOARD"],
        "data": {"BOARD": {"text": "Words", "mediaUrls": ["https://example.com/p"]}},
        **changes,
    }


def block(**changes: Any) -> dict[str, Any]:
    return request(data={"BOARD": request()["data"]["BOARD"] | changes})


def checked(body: object, accounts: Sequence[Account] = (ANNA, CARL), **uploads: Media) -> Checked:
    return check(body, ADAPTERS, Facts(accounts=tuple(accounts), uploads={"u1": PICTURE, **uploads}))


def told(found: Checked) -> set[tuple[str, str]]:
    return {
        (finding.code + ("?" if finding.severity == "warning" else ""), ".".join(map(str, finding.path)))
        for finding in found.report.findings
    }


def test_a_sound_request_plans_one_delivery_for_each_platform() -> None:
    found = checked(request(socialAccountTypes=["BOARD", "SILENT"], text="Both"))
    assert told(found) == set()
    assert [(planned.platform, planned.account, planned.position) for planned in found.planned] == [
        ("BOARD", ANNA, 0),
        ("SILENT", CARL, 0),
    ]
    drafts = [planned.draft for planned in found.planned]
    assert [draft.block.text for draft in drafts if draft] == ["Words", "Both"]
    assert [[media.url for media in draft.media] for draft in drafts if draft] == [["https://example.com/p"], []]


def test_the_shared_part_fills_only_what_a_block_leaves_out() -> None:
    found = checked(request(data={"BOARD": {"link": "own"}}, text="Shared", link="theirs", uploadIds=["u1"]))
    (planned,) = found.planned
    assert planned.draft is not None
    assert (planned.draft.block.text, planned.draft.block.link) == ("Shared", "own")
    assert planned.draft.media == (PICTURE,)
    assert planned.block == {"link": "own"}


def test_a_shared_text_that_does_not_fit_is_told_where_it_stands() -> None:
    found = checked(request(data={}, text="x" * 21, mediaUrls=["https://example.com"]))
    assert told(found) == {("too_long", "text")}
    assert "BOARD" in found.report.errors[0].message


def test_a_title_that_steps_in_is_warned_of_and_one_that_does_not_fit_is_passed_over() -> None:
    media = {"mediaUrls": ["https://example.com"]}
    assert told(checked(request(data={}, **media))) == {("filled_in?", "data.BOARD.text")}
    assert told(checked(request(data={}, title="x" * 21, **media))) == {("board.words", "data.BOARD.text")}


def test_a_rule_is_not_asked_where_its_field_is_at_fault() -> None:
    assert told(checked(block(text=5))) == {("wrong_type", "data.BOARD.text")}
    assert told(checked(block(text=""))) == {("board.words", "data.BOARD.text")}
    assert told(checked(block(text="LOUD"))) == {("board.shout?", "data.BOARD.text")}


def test_platforms_are_told_by_name() -> None:
    body = request(socialAccountTypes=["BOARD", "BORAD", "BOARD", 3], data={"SILENT": {}, "X": None, "SILNT": {}})
    body["data"]["BOARD"] = request()["data"]["BOARD"]
    found = checked(body)
    assert told(found) == {
        ("unknown_platform", "socialAccountTypes.1"),
        ("duplicate?", "socialAccountTypes.2"),
        ("wrong_type", "socialAccountTypes.3"),
        ("block_unused?", "data.SILENT"),
        ("unknown_platform", "data.X"),
        ("unknown_platform", "data.SILNT"),
    }
    words = {finding.path: finding.message for finding in found.report.errors}
    assert "'BOARD'" in words["socialAccountTypes", 1]
    assert "'SILENT'" in words["data", "SILNT"]


@pytest.mark.parametrize(
    ("body", "accounts", "chosen", "faults"),
    [
        (request(), [ANNA], ["a1"], set()),
        (request(), [], [], {("no_account", "data.BOARD")}),
        (request(), [ANNA, BERT], [], {("account_ambiguous", "data.BOARD.socialAccountIds")}),
        (request(socialAccountIds=["a2"]), [ANNA, BERT], ["a2"], set()),
        (request(socialAccountIds=["a2", "a1"]), [ANNA, BERT], ["a1", "a2"], set()),
        (request(socialAccountIds=["a1", "a3"]), [ANNA, BERT, CARL], ["a1"], set()),
        (request(socialAccountIds=["a9"]), [ANNA], [], {("unknown_account", "socialAccountIds.0")}),
        (request(socialAccountIds=["a1", "a9"]), [ANNA], ["a1"], {("unknown_account", "socialAccountIds.1")}),
        (request(socialAccountIds=[]), [ANNA], ["a1"], set()),
        (request(socialAccountIds=[[]]), [ANNA], ["a1"], {("wrong_type", "socialAccountIds.0")}),
        (block(socialAccountIds=["a2"]), [ANNA, BERT], ["a2"], set()),
        (block(socialAccountIds=["a3"]), [ANNA, CARL], [], {("unknown_account", "data.BOARD.socialAccountIds.0")}),
    ],
)
def test_the_accounts_are_certain_or_told(
    body: dict[str, Any], accounts: list[Account], chosen: list[str], faults: set[tuple[str, str]]
) -> None:
    found = checked(body, accounts)
    assert told(found) == faults
    assert [planned.account.id for planned in found.planned if planned.account] == chosen


def test_ambiguous_accounts_are_listed() -> None:
    (finding,) = checked(request(), [ANNA, BERT]).report.errors
    assert "a1 (anna)" in finding.message
    assert "a2 (bert)" in finding.message


def test_a_list_of_blocks_is_a_delivery_each() -> None:
    one = request()["data"]["BOARD"]
    found = checked(request(data={"BOARD": [one, one | {"text": "x" * 21}, 5]}))
    assert told(found) == {("too_long", "data.BOARD.1.text"), ("wrong_type", "data.BOARD.2")}
    assert [planned.position for planned in found.planned] == [0, 1]
    assert told(checked(request(data={"BOARD": []}))) == {("too_few", "data.BOARD")}


def test_a_fault_of_a_block_that_goes_to_several_accounts_is_told_once() -> None:
    found = checked(block(text="x" * 21, socialAccountIds=["a1", "a2"]), [ANNA, BERT])
    assert [finding.code for finding in found.report.findings] == ["too_long"]


@pytest.mark.parametrize(
    ("media", "fault"),
    [
        ({}, set()),
        ({"width": 90, "height": 100}, {("media_small?", "data.BOARD.uploadIds.0")}),
        ({"width": 9, "height": 10}, {("media_too_small", "data.BOARD.uploadIds.0")}),
        ({"width": 100, "height": 300}, {("media_ratio", "data.BOARD.uploadIds.0")}),
        ({"bytes": 1001}, {("media_fitted?", "data.BOARD.uploadIds.0")}),
        ({"mime": "image/gif"}, {("media_fitted?", "data.BOARD.uploadIds.0")}),
        ({"mime": "image/tiff"}, {("media_type", "data.BOARD.uploadIds.0")}),
        ({"kind": "video", "mime": "video/mp4"}, {("media_kind", "data.BOARD.uploadIds.0")}),
    ],
)
def test_media_are_held_against_the_limits(media: dict[str, Any], fault: set[tuple[str, str]]) -> None:
    facts = {"kind": "image", "mime": "image/png", "bytes": 10, "width": 100, "height": 100, **media}
    found = checked(block(mediaUrls=None, uploadIds=["u2"]), u2=Media(upload_id="u2", **facts))
    assert told(found) == fault


def test_media_are_counted() -> None:
    assert told(checked(block(mediaUrls=None))) == {("media_missing", "data.BOARD.uploadIds")}
    assert told(checked(block(mediaUrls=["https://a.example"] * 3))) == {("media_too_many", "data.BOARD.uploadIds")}
    unknown = checked(block(mediaUrls=None, uploadIds=["u1", "u9"]))
    assert told(unknown) == {("unknown_upload", "data.BOARD.uploadIds.1")}


def test_a_draft_may_be_unfinished_but_not_of_the_wrong_shape() -> None:
    unfinished = {"text": "x" * 21, "tag": "t"}
    found = checked(request(status="DRAFT", data={"BOARD": unfinished}), [])
    assert found.report.errors == ()
    assert {code for code, _ in told(found)} == {"too_long?", "media_missing?", "field_unused?", "no_account?"}
    found = checked(request(status="DRAFT", data={"BOARD": {"text": 5, "txet": "", "uploadIds": ["u9"]}}))
    assert {code for code, _ in told(found)} == {"wrong_type", "unknown_field", "unknown_upload"}


def test_a_first_comment_that_is_not_published_is_told() -> None:
    assert told(checked(request(firstComment={"BOARD": "first!", "SILENT": "x"}))) == {
        ("field_unused?", "firstComment.BOARD")
    }
    assert told(checked(request(firstComment={"BOARD": None}))) == set()


def test_an_unknown_team_is_one_fault_and_hides_nothing_else() -> None:
    found = check(block(text="x" * 21), ADAPTERS, Facts(team_known=False))
    assert told(found) == {("unknown_team", "teamId"), ("too_long", "data.BOARD.text")}
    assert told(check(request(teamId=5), ADAPTERS, Facts(team_known=False))) == {("wrong_type", "teamId")}


def test_every_upload_that_a_request_names_is_found() -> None:
    body = {
        "uploadIds": ["a", 5, ["x"]],
        "data": {
            "A": {"uploadIds": ["b"]},
            "B": [{"uploadIds": ["c"]}, None],
            "C": None,
            "D": 5,
            "E": {"uploadIds": "d"},
        },
    }
    assert named_uploads(body) == {"a", "b", "c"}
    assert named_uploads([]) == named_uploads({"data": []}) == set()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.sampled_from(["BOARD", "SILENT", "u1", "a1"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["BOARD", "text", "x"]), inner),
    max_leaves=8,
)
FIELDS = ("teamId", "title", "postDate", "status", "socialAccountTypes", "data", "firstComment", "text", "link")
MORE = ("referenceKey", "uploadIds", "mediaUrls", "socialAccountIds")


@given(st.dictionaries(st.sampled_from(FIELDS + MORE), JSON, max_size=3))
def test_no_value_anywhere_makes_it_raise(changes: dict[str, Any]) -> None:
    found = checked(request(**changes))
    if not found.report.errors:
        assert found.request is not None
        assert found.post_date is not None
        assert all(planned.draft is not None for planned in found.planned)


@given(st.sampled_from(["text", "link", "tag", "uploadIds", "mediaUrls", "socialAccountIds"]), JSON)
def test_no_value_in_a_block_makes_it_raise(field: str, value: Any) -> None:
    checked(block(**{field: value}))


def counted(facts: dict[str, Any] | None = None, **changes: Any) -> Checked:
    accounts = [Account(id="a4", platform="COUNTED", username="dora", external_user="4", facts=facts)] if facts else []
    return checked(request(socialAccountTypes=["COUNTED"], data={}) | changes, accounts)


def test_several_limits_of_a_text_are_told_where_the_text_stands() -> None:
    assert told(counted(text="12345")) == {("no_account", "data.COUNTED")}
    assert told(counted(text="123456")) == {("no_account", "data.COUNTED"), ("too_long", "text")}
    found = counted(data={"COUNTED": {"words": "👨‍👩‍👧‍👦" * 2, "more": ["12345", "123456"]}})
    assert told(found) == {
        ("no_account", "data.COUNTED"),
        ("too_long", "data.COUNTED.words"),
        ("too_long", "data.COUNTED.more.1"),
    }


def test_an_account_may_have_limits_of_its_own() -> None:
    assert told(counted({"most": 6}, text="123456")) == set()
    assert told(counted({"most": 2}, text="123")) == {("too_long", "text")}
    assert told(counted({"most": 23, "counter": "fediverse"}, text=f"https://x.example/{'a' * 40}")) == set()


def test_a_platform_that_fetches_by_itself_needs_a_public_file() -> None:
    assert told(counted({"most": 6}, text="1", uploadIds=["u1"])) == {("media_not_public", "data.COUNTED.uploadIds.0")}
    assert told(counted({"most": 6}, text="1", mediaUrls=["https://x.example/p.png"])) == set()


def test_the_schema_says_what_it_can_of_a_texts_limits() -> None:
    class Alike(Counted):
        limits_of = Adapter.limits_of

    declared = schema(Alike())["properties"]
    words = declared["words"]["anyOf"][0]
    assert words["maxLength"] == 30
    assert words["x-text-limits"] == [
        {"counter": "graphemes", "most": 5, "url": 23},
        {"counter": "bytes", "most": 30, "url": 23},
    ]
    assert "maxLength" not in declared["more"]["items"]
    assert {kind.get("maxItems") for kind in declared["mediaUrls"]["anyOf"]} == {Counted.limits.media.count[1], None}


def test_the_schema_forbids_nothing_that_some_account_is_allowed() -> None:
    declared = schema(Counted())["properties"]
    words = declared["words"]["anyOf"][0]
    assert "x-text-limits" in words
    assert "maxLength" not in words
    assert all("maxItems" not in kind for kind in declared["mediaUrls"]["anyOf"])


LONG = "One two three four five six seven"


def test_a_shared_text_is_cut_where_that_is_asked_for() -> None:
    picture = {"BOARD": {"mediaUrls": ["https://example.com/p"]}}
    assert told(checked(request(text=LONG, data=picture))) == {("too_long", "text")}
    found = checked(request(text=LONG, data=picture, adapt="shorten"))
    assert told(found) == {("shortened?", "data.BOARD.text")}
    (planned,) = found.planned
    assert planned.draft is not None
    assert planned.draft.block.text == planned.block["text"] == "One two three four…"
    again = drafted(
        Board(),
        Shared.of(request(text=LONG, adapt="shorten")),
        planned.block,
        path=("data", "BOARD"),
        account=ANNA,
        uploads={},
    )
    assert again.draft == planned.draft


@pytest.mark.parametrize("text", [LONG, f"http://a.b {LONG}", f"{LONG} http://a.b"])
def test_what_is_put_below_a_text_stays_when_the_text_is_cut(text: str) -> None:
    class Linked(Board):
        fills = (Fill(field="text", source="text"), Fill(field="text", source="link", below=True))

    def made(block: dict[str, Any]) -> Drafted:
        shared = Shared(text=text, link="http://a.b", adapt="shorten")
        return drafted(Linked(), shared, block, path=("data", "BOARD"), account=ANNA, uploads={})

    first = made({"mediaUrls": ["https://example.com/p"]})
    assert [finding.code for finding in first.findings if finding.severity == "error"] == []
    assert first.settled["text"].count("http://a.b") == 1
    again = made({"mediaUrls": ["https://example.com/p"], **first.settled})
    assert (again.draft, [finding.code for finding in again.findings]) == (first.draft, [])


def test_only_the_shared_text_is_cut_and_only_where_it_is_too_long() -> None:
    own = {"BOARD": {"text": LONG, "mediaUrls": ["https://example.com/p"]}}
    assert told(checked(request(text=LONG, data=own, adapt="shorten"))) == {("too_long", "data.BOARD.text")}
    short = {"BOARD": {"mediaUrls": ["https://example.com/p"]}}
    assert told(checked(request(text="Short", data=short, adapt="shorten"))) == set()
    assert told(checked(request(text="Short", data=short, adapt="cut"))) == {("not_a_choice", "adapt")}


URL = f"https://x.example/{'a' * 40}"


@pytest.mark.parametrize(
    ("most", "counter", "text", "cut"),
    [(2, "graphemes", "👨‍👩‍👧‍👦" * 9, "👨‍👩‍👧‍👦…"), (27, "fediverse", f"Eh {URL} and more of it", f"Eh {URL}…")],
)
def test_a_text_is_cut_by_the_count_of_the_platform_and_the_limits_of_the_account(
    most: int, counter: str, text: str, cut: str
) -> None:
    found = counted({"most": most, "counter": counter}, text=text, adapt="shorten")
    assert told(found) == {("shortened?", "data.COUNTED.words")}
    (planned,) = found.planned
    assert planned.draft is not None
    assert planned.draft.block.words == cut
