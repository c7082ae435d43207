"""Describing an adapter: its declaration as data, for the API, the documentation and the command line."""

from typing import Any, Literal

import msgspec

from core.adapter import Adapter, Certainty
from core.connect import Field, Form, OAuth, ServerOAuth
from core.findings import Severity
from core.limits import Limits, MediaKind, Quota, TextLimit


class RuleView(msgspec.Struct, frozen=True, kw_only=True):
    """What several fields break together; `id` is the code of the finding, `at` the fields it speaks of."""

    id: str
    says: str
    at: list[str]
    severity: Severity


class Connecting(msgspec.Struct, frozen=True, kw_only=True):
    """How an account is connected: by `oauth` with `scopes`, or by a `form` of `fields`; null where it is not.

    By `oauth` the `fields`, such as the server that the account is on, are asked for before.
    """

    way: Literal["oauth", "form"]
    scopes: list[str] = []
    fields: list[Field] = []


class Abilities(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What can be done on a platform, as its adapter has it, and within which bounds.

    `media` are the kinds of files that a post takes, `mixed` says that one post may hold several. `looksUp` says that
    an unclear outcome can be looked up there, `worksOn` that publishing may go on after the first call. Of `channels`,
    of what is `published`, and of `analytics` it is told what can be done with each beside.
    """

    media: list[MediaKind]
    mixed: bool
    looks_up: bool
    works_on: bool
    one_channel: bool
    channels: list[str]
    channel_name_max: int | None
    section_name_max: int | None
    channel_privacies: list[str]
    published: list[str]
    editable: list[str]
    analytics: list[str]


class PlatformView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything declared of a platform; `schema` is the JSON Schema of its block, `example` a block that is sound.

    `certainty` is how an unclear outcome is settled, `ways` by which way of being connected where there are several,
    `tiers` are other quotas by an app's access tier, and
    `operations` say in which category of quotas each call counts.
    """

    platform: str
    label: str
    certainty: Certainty
    ways: dict[str, Certainty]
    abilities: Abilities
    connecting: Connecting | None
    limits: Limits
    quotas: list[Quota]
    tiers: dict[str, list[Quota]]
    operations: dict[str, str]
    rules: list[RuleView]
    fields: list[str]
    schema: dict[str, Any]
    example: dict[str, Any]


def describe(adapter: Adapter[Any]) -> PlatformView:
    """Everything declared of a platform, as JSON can carry it."""
    return PlatformView(
        platform=adapter.platform,
        label=adapter.label,
        certainty=adapter.certainty,
        ways=dict(adapter.ways),
        abilities=abilities(adapter),
        connecting=_connecting(adapter.connect),
        limits=adapter.limits,
        quotas=list(adapter.quotas),
        tiers={name: list(quotas) for name, quotas in adapter.tiers.items()},
        operations=dict(adapter.operations),
        rules=[
            RuleView(id=rule.id, says=rule.says, at=list(rule.at), severity=rule.severity) for rule in adapter.rules
        ],
        fields=[field.encode_name for field in msgspec.structs.fields(adapter.block)],
        schema=schema(adapter),
        example=adapter.example("<channel id>", "https://example.com/picture.png"),
    )


def _connecting(way: OAuth | ServerOAuth | Form | None) -> Connecting | None:
    if isinstance(way, ServerOAuth):
        return Connecting(way="oauth", scopes=list(way.oauth.scopes), fields=list(way.fields))
    if isinstance(way, OAuth):
        return Connecting(way="oauth", scopes=list(way.scopes))
    return Connecting(way="form", fields=list(way.fields)) if way is not None else None


def abilities(adapter: Adapter[Any]) -> Abilities:
    """What the platform can do beside publishing, and within which bounds."""
    places, aftercare, insights = adapter.places, adapter.aftercare, adapter.insights
    media = adapter.limits.media
    return Abilities(
        media=list(media.kinds),
        mixed=media.mix,
        looks_up=adapter.finds,
        works_on=type(adapter).resume is not Adapter.resume,
        one_channel=adapter.one_channel,
        channels=list(places.offers) if places else [],
        channel_name_max=places.name_max if places else None,
        section_name_max=places.section_max if places else None,
        channel_privacies=list(places.privacies) if places else [],
        published=list(aftercare.offers) if aftercare else [],
        editable=list(aftercare.editable) if aftercare else [],
        analytics=list(insights.offers) if insights else [],
    )


def schema(adapter: Adapter[Any]) -> dict[str, Any]:
    """The JSON Schema (2020-12) of an adapter's block; a field that nobody knows is refused.

    JSON Schema counts code points alone. What a text is bounded by otherwise stands in `x-text-limits`, as
    `TextLimit` has it, and in `maxLength` as far as it follows. Where the bounds depend on the account, those of an
    account of which nothing is known stand in `x-text-limits` alone, and so do bounds on what is made of a text. That
    no text may hold U+0000 is not said.
    """
    (_, components) = msgspec.json.schema_components([adapter.block], ref_template="#/$defs/{name}")
    definition: dict[str, Any] = components.pop(adapter.block.__name__)
    bound(adapter, definition)
    beside = {"$defs": components} if components else {}
    whole = {**definition, "additionalProperties": False, **beside}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **whole}


def bound(adapter: Adapter[Any], definition: dict[str, Any]) -> None:
    """Put the limits of texts and of the number of files on the schema of an adapter's block."""
    fixed = type(adapter).limits_of is Adapter.limits_of
    bare = type(adapter).text_of is Adapter.text_of
    for name, declared in definition["properties"].items():
        if limits := adapter.limits.of_text(name):
            _bound(declared, limits, follows=fixed and bare)
    for name in ("uploadIds", "mediaUrls") if fixed else ():
        for files in (kind for kind in _kinds(definition["properties"][name]) if kind.get("type") == "array"):
            files["maxItems"] = adapter.limits.media.count[1]


def _bound(declared: dict[str, Any], limits: tuple[TextLimit, ...], *, follows: bool) -> None:
    """Put the limits of a text, or of each text of a list, on its schema; with `follows` they bound what it has."""
    kinds = [kind.get("items", kind) for kind in _kinds(declared)]
    for text in (kind for kind in kinds if kind.get("type") == "string"):
        text["x-text-limits"] = [{"counter": each.counter, "most": each.most, "url": each.url} for each in limits]
        # Each code point counts at least one of these.
        longest = [each.most for each in limits if follows and each.counter in ("chars", "utf16", "bytes")]
        if longest:
            text["maxLength"] = min(*longest, text.get("maxLength", longest[0]))


def _kinds(declared: dict[str, Any]) -> list[dict[str, Any]]:
    """What a field may be."""
    kinds: list[dict[str, Any]] = declared.get("anyOf", [declared])
    return kinds
