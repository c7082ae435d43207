"""What we declare of Pinterest is what its own description says, or stricter for a reason; what is left out is told."""

import re
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.pinterest.adapter import Pinterest
from adapters.pinterest.boards import Boards
from adapters.pinterest.sandbox.operations import OPERATIONS
from core.describe import describe
from core.limits import category_of
from tests.description import PINTEREST, Description

pytestmark = pytest.mark.skipif(not PINTEREST, reason="PINTEREST_OPENAPI names no description of the API")

SENT_AS = {
    "text": ("PinCreate", "title"),
    "description": ("PinCreate", "description"),
    "link": ("PinCreate", "link"),
    "altText": ("PinCreate", "alt_text"),
    "boardId": ("PinCreate", "board_id"),
    "boardSectionId": ("PinCreate", "board_section_id"),
    "dominantColor": ("PinCreate", "dominant_color"),
    "isAiGenerated": ("PinCreate", "ai_disclosures"),
    "aiDisclosures": ("AiDisclosures", "values"),
    "thumbnail": ("PinMediaSourceVideoID", "cover_image_url"),
    "thumbnailOffset": ("PinMediaSourceVideoID", "cover_image_key_frame_time"),
}
"""Fields of a block, and the properties of the description that they are sent as."""

OURS_ALONE = {
    "uploadIds", "mediaUrls", "socialAccountIds",  # whence the media come, and where to
    "boardName", "createBoard",  # sent as the board's id
    "note",  # gone from the API since 5.20; taken with a warning
}  # fmt: skip

MEDIA = {
    "url", "data", "content_type", "items", "media_id", "source_type",
    "cover_image_content_type", "cover_image_data", "cover_image_key_frame_time", "cover_image_url",
}  # fmt: skip
"""What is sent in a `media_source`."""

KEYWORDS = ("maxLength", "minLength", "pattern", "minimum", "maximum", "maxItems", "minItems")


@pytest.fixture(scope="module")
def description() -> Description:
    return Description(Path(PINTEREST))


def ours(field: str) -> dict[str, Any]:
    """The JSON Schema of a field of the block."""
    schema: Any = describe(Pinterest()).schema
    kind: dict[str, Any] = schema["properties"][field]["anyOf"][0]
    return kind


def test_every_bound_of_a_pin_is_pinterests_or_stricter_for_a_reason(description: Description) -> None:
    assert set(describe(Pinterest()).schema["properties"]) == set(SENT_AS) | OURS_ALONE
    stricter = {name for name in Pinterest.stricter if name.partition(".")[0] in SENT_AS}
    found = set()
    for field, (schema, name) in SENT_AS.items():
        theirs = description.resolved(description.schema(schema)["properties"][name])
        for keyword in KEYWORDS:
            declared, told = ours(field).get(keyword), theirs.get(keyword)
            if isinstance(told, str):
                told = told.replace(r"\d", "[0-9]")
            assert declared is not None or told is None, f"{field}: Pinterest's {keyword} is missing"
            if declared != told:
                assert told is None, f"{field}: {keyword} is {declared}, and Pinterest says {told}"
                found.add(f"{field}.{keyword}")
    assert found == stricter, "each bound that differs has its reason, and no reason is left over"


def test_every_bound_of_a_file_is_pinterests_or_has_its_reason(description: Description) -> None:
    media = Pinterest.limits.media
    for name in ("PinMediaSourceImagesURL", "PinMediaSourceImagesBase64"):
        items = description.schema(name)["properties"]["items"]
        assert (items["minItems"], items["maxItems"]) == (2, media.count[1])
    assert media.image is not None
    assert set(media.image.mimes) == set(description.schema("ContentType")["enum"])
    declared = {
        f"media.{kind}.{bound}"
        for kind in media.kinds
        for bound, value in msgspec.to_builtins(media.of(kind)).items()
        if value and not bound.endswith("_advised")
    }
    told = {name for name in Pinterest.stricter if name.startswith("media.")}
    assert declared - told == {"media.image.mimes"}
    assert told <= declared


def test_boards_and_disclosures_are_bounded_as_pinterests_are(description: Description) -> None:
    assert Boards.section_max == description.schema("BoardSection")["properties"]["name"]["maxLength"]
    assert set(Boards.privacies) == {each.lower() for each in description.schema("BoardPrivacy")["enum"]}
    assert ours("aiDisclosures")["items"]["enum"] == description.schema("AiDisclosureItem")["enum"]


def test_every_operation_is_called_or_left_for_a_reason(description: Description) -> None:
    described = {f"{method} /v5{template}" for method, template, _ in description.operations}
    assert len(described) == 29
    left = {name for name in Pinterest.leaves if " " in name}
    assert set(Pinterest.uses) | left == described
    assert not set(Pinterest.uses) & left


def test_every_field_is_sent_or_left_for_a_reason(description: Description) -> None:
    sent = {f"{schema}.{name}" for schema, name in SENT_AS.values()} | {"PinCreate.media_source"}
    sent |= {f"PinUpdate.{name}" for schema, name in SENT_AS.values() if schema == "PinCreate"}
    sent |= {f"BoardCreate.{name}" for name in ("name", "description", "privacy")}
    left = {name for name in Pinterest.leaves if " " not in name}
    schemas: dict[str, Any] = description.document["components"]["schemas"]
    used = set()
    for schema in [name for name in schemas if re.match("PinCreate$|PinUpdate$|BoardCreate$|PinMediaSource", name)]:
        for name in schemas[schema].get("properties", {}):
            whole = f"{schema}.{name}"
            fitting = {each for each in left if fnmatchcase(whole, each)}
            used |= fitting
            is_sent = whole in sent or (schema.startswith("PinMediaSource") and name in MEDIA)
            assert bool(fitting) != (is_sent and not fitting), whole
    assert used == left, "these are no longer described"


def test_every_operation_counts_in_the_category_that_the_description_gives(description: Description) -> None:
    table = tuple(Pinterest.operations.items())
    for method, template, operation in description.operations:
        told = category_of(table, method, f"/v5{template}")
        assert told == operation["x-ratelimit-category"], f"{method} {template}"


def test_the_sandbox_asks_for_the_scopes_and_counts_in_the_categories_of_the_description(
    description: Description,
) -> None:
    told = {
        f"{method} /v5{template}": (set(scheme["pinterest_oauth2"]), operation["x-ratelimit-category"])
        for method, template, operation in description.operations
        for scheme in operation["security"]
        if "pinterest_oauth2" in scheme
    }
    assert {name: (set(served.scopes), served.category) for name, served in OPERATIONS.items()} == told
