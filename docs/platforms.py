"""A page for each platform, from the declaration of its adapter."""

import inspect
import json
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
from msgspec import inspect as types

from core.adapter import Adapter
from core.connect import OAuth, ServerOAuth
from core.counting import UNITS
from core.describe import describe
from core.drafting import AnyAdapter
from core.limits import KINDS, Limits, category_of
from core.post import EXPECTED_URL, URL_PATTERN
from core.registry import sandbox_of
from core.sandbox.target import templates_of
from docs.errors import refusals
from docs.markdown import code, listed, page, table

CERTAINTY = {
    "key": "The platform drops a repeated idempotency key, so an unclear create is simply sent again under its key.",
    "two-phase": "The evidence of a create survives on the platform and is looked up.",
    "read-back": "There is no idempotency key. An unclear create is looked up on the platform, at the seconds of "
    "`FINGERPOST_READBACK`, and only after the last look that finds nothing it is sent again.",
    "none": "The platform can neither drop a repetition nor be read: after an unclear create a person has to look.",
}

QUOTA_HEADS = ("calls", "seconds", "category", "for each")

QUOTAS = """\
What the platform allows, as declared. It is kept to in advance, over all workers together: a call that has to wait is
deferred, which costs nothing, and goes out at its turn. What the platform itself says overrules.
"""


OPERATIONS = """\
What is called of the platform's API, the category of its quotas that a call counts in, and what for.
"""

STRICTER = """\
Bounds and rules that are tighter than the platform's own description of its API.
"""

TRIED = {
    "MASTODON": """\
`make e2e` connects accounts and publishes at two servers of other people's making, through a storm of lost answers:
`mastodon_mock` 0.6.1, and kepi 0.7, which is older and does less. At kepi:

- `/api/v2/instance` is missing, and `/api/v1/instance` tells no bounds: Mastodon's own count.
- There are no media. A post that has some fails with `not_there`, and nothing of it is live.
- `Idempotency-Key` is not honoured, and every list is whole: an unclear create is looked up in it.
- Texts are Markdown. They are looked for without its marks; what it does not show at all, such as the definition of a
  link, cannot be found, and goes out twice after a lost answer.
- Of the scopes it knows `read` and `write`. Until its operator adds those above, no account there can be connected.
- Tokens are good for ten hours, and the account has to be connected again then.
""",
}
"""What is worth knowing of the servers that a platform's tests were run against."""

BOUNDS: dict[str, tuple[str, Callable[[Any], str]]] = {
    "mimes": ("types", listed),
    "count_max": ("files at most", str),
    "bytes_max": ("bytes at most", "{:,}".format),
    "pixels_min": ("pixels at least", lambda size: "×".join(map(str, size))),
    "pixels_max": ("pixels at most", lambda size: "×".join(map(str, size))),
    "pixels_advised": ("pixels advised", lambda size: "×".join(map(str, size))),
    "ratio": ("width divided by height", lambda span: " to ".join(f"{end:g}" for end in span)),
    "ratio_advised": ("shape advised", lambda shape: ":".join(map(str, shape))),
    "seconds": ("seconds", lambda span: " to ".join(f"{end:g}" for end in span)),
    "video_codecs": ("video codecs", listed),
    "audio_codecs": ("audio codecs", listed),
}
"""The bounds of a file, and how each is written."""

FITTING = """\
Uploaded pictures of other types, turned by the camera, in other colour spaces, too large, or with a place in them are
mended before they are sent, where nothing is lost by it; each is told as the warning `media_fitted`, and `mediaFit:
"off"` on the post leaves all as they are. Animations, and films, are sent as they are or not at all.
"""


def platform_page(adapter: AnyAdapter) -> str:
    """The page."""
    told = msgspec.to_builtins(describe(adapter))
    parts = [f"`{adapter.platform}` in `socialAccountTypes`, and the key of its block in `data`.\n"]
    parts += ["## Fields\n", table(("field", "type", "bounds", "what it is"), _fields(adapter, told["schema"]))]
    if adapter.limits.texts:
        parts += ["## Texts\n", table(("field", "at most", "counted"), _texts(adapter.limits))]
        parts += _of_account(adapter, "limits_of")
    parts += _connecting(adapter)
    media = told["limits"]["media"]
    kinds: list[str] = [kind for kind in KINDS if media[kind]]
    parts += ["## Media\n", table(("bound", *(kinds or ["value"])), _media(media, kinds))]
    if kinds:
        parts += [FITTING]
    if told["rules"]:
        parts += ["## Rules\n", table(("code", "at", "severity", "says"), _rules(told["rules"]))]
    ways = adapter.ways or {"": adapter.certainty}
    parts += ["## Unclear outcomes\n"]
    parts += [f"{f'By {way}, ' if way else ''}{code(kind)}: {CERTAINTY[kind]}\n" for way, kind in ways.items()]
    parts += _of_account(adapter, "certainty_of")
    if told["quotas"]:
        parts += ["## Quotas\n", QUOTAS, table(QUOTA_HEADS, _quotas(told["quotas"]))]
    for tier, quotas in told["tiers"].items():
        if quotas != told["quotas"]:
            parts += [f"With the access tier {code(tier)}:\n", table(QUOTA_HEADS, _quotas(quotas))]
    if found := refusals(adapter):
        parts += ["## Refusals\n", table(("code", "hint"), [[code(name), hint] for name, hint in found])]
    parts += _contract(adapter, told)
    if adapter.platform in TRIED:
        parts += ["## Servers it was tried against\n", TRIED[adapter.platform]]
    if example := adapter.example("<channel id>", "https://example.com/picture.png"):
        parts += ["## Example\n", f"```json\n{json.dumps(example, indent=2)}\n```\n"]
    return page(adapter.label, *parts)


def _contract(adapter: AnyAdapter, told: dict[str, Any]) -> Iterator[str]:
    """The platform's description of its API, beside ours."""
    if adapter.uses:
        rows = [[code(name), _category(adapter, name), does] for name, does in adapter.uses.items()]
        yield from ("## Operations\n", OPERATIONS, table(("operation", "counts as", "what it is called for"), rows))
    if adapter.leaves:
        if (sandbox := sandbox_of(adapter)) is not None:
            known = {name for name in (*adapter.uses, *adapter.leaves) if " " in name}
            served = known & {" ".join(route) for route in templates_of(sandbox().routes())}
            yield f"The sandbox serves {len(served)} of the {len(known)} operations on this page.\n"
        rows = [[code(name), why] for name, why in adapter.leaves.items()]
        yield from ("What else the platform's description has:\n", table(("not called, or not sent", "why"), rows))
    if adapter.stricter:
        rows = [[code(name), _bound(adapter, told, name), why] for name, why in adapter.stricter.items()]
        yield from ("## Where Fingerpost is stricter\n", STRICTER, table(("bound or rule", "ours", "why"), rows))


def _category(adapter: AnyAdapter, operation: str) -> str:
    return code(category_of(tuple(adapter.operations.items()), *operation.split(" ", 1)) or "")


def _bound(adapter: AnyAdapter, told: dict[str, Any], name: str) -> str:
    """The value of a bound, as it is declared, or what a rule says."""
    first, _, rest = name.partition(".")
    if first == "media":
        kind, _, bound = rest.partition(".")
        return BOUNDS[bound][1](told["limits"]["media"][kind][bound])
    if first in told["schema"]["properties"]:
        bound = _kind(told["schema"]["properties"][first])[rest]
        return EXPECTED_URL if bound == URL_PATTERN else code(str(bound))
    (says,) = (str(rule["says"]) for rule in told["rules"] if rule["id"] == name)
    return says


def _of_account(adapter: AnyAdapter, method: str) -> Iterator[str]:
    """What an adapter's own method says of accounts that differ; nothing where it has none."""
    own = getattr(type(adapter), method)
    if own is not getattr(Adapter, method):
        yield f"{inspect.cleandoc(own.__doc__)}\n"


def _texts(limits: Limits) -> Iterator[list[str]]:
    for limit in limits.texts:
        counted = UNITS[limit.counter]
        if limit.counter in ("x-weighted", "fediverse"):
            counted += f" ({limit.url})"
        yield [code(limit.field), f"{limit.most:,}", f"{code(limit.counter)}: {counted}"]


def _connecting(adapter: AnyAdapter) -> Iterator[str]:
    way = adapter.connect
    if way is not None:
        yield "## Connecting an account\n"
    if isinstance(way, OAuth):
        yield (
            f"By OAuth, with the scopes {listed(way.scopes)}; an account that grants less is refused. The app is set "
            f"by `FINGERPOST_{adapter.platform}_CLIENT_ID` and `_CLIENT_SECRET`, and registered with the redirect URI "
            f"`<FINGERPOST_PUBLIC_URL>/connect/callback/{adapter.platform.lower()}`.\n"
        )
    elif isinstance(way, ServerOAuth):
        yield (
            f"By OAuth at the account's own server, with the scopes {listed(way.oauth.scopes)}. Nobody has to register "
            f"an app: this server does that by itself, once at each. {way.form.help}".strip()
            + "\n"
        )
    elif way is not None:
        yield f"By a form. {way.help}".strip() + "\n"
    if way is not None and not isinstance(way, OAuth):
        yield table(
            ("field", "secret", "what it is"),
            [[field.label, "yes" if field.secret else "no", field.help] for field in way.fields],
        )


def _fields(adapter: AnyAdapter, schema: dict[str, Any]) -> Iterator[list[str]]:
    needed = schema.get("required", ())
    unused, expects = _said(adapter, "unused"), _said(adapter, "expects")
    for name, declared in schema["properties"].items():
        kind = _kind(declared)
        type_ = f"list of {_type(kind['items'])}" if kind.get("type") == "array" else str(kind.get("type", "any"))
        words = " ".join(filter(None, [str(kind.get("description", "")), unused.get(name)]))
        yield [code(name), type_ + (", required" if name in needed else ""), _bounds(kind, expects.get(name)), words]


def _kind(declared: dict[str, Any]) -> dict[str, Any]:
    """The schema of a field's value, where there is one."""
    (kind,) = (kind for kind in declared.get("anyOf", [declared]) if kind.get("type") != "null")
    return dict(kind)


def _type(kind: dict[str, Any]) -> str:
    """The type of one value; where there are only a few, these."""
    return " or ".join(map(code, kind["enum"])) if "enum" in kind else str(kind.get("type", "any"))


def _said(adapter: AnyAdapter, name: str) -> dict[str, str]:
    """What the declaration of each field says beside its JSON Schema, such as why it is taken and `unused`."""
    block = types.type_info(adapter.block)
    assert isinstance(block, types.StructType)
    kinds = [
        (field.encode_name, kind)
        for field in block.fields
        for kind in (field.type.types if isinstance(field.type, types.UnionType) else (field.type,))
    ]
    return {
        field: kind.extra[name]
        for field, kind in kinds
        if isinstance(kind, types.Metadata) and kind.extra and name in kind.extra
    }


def _bounds(kind: dict[str, Any], expects: str | None) -> str:
    names = {
        "minLength": "at least {} characters",
        "maxLength": "at most {} characters",
        "minItems": "at least {}",
        "maxItems": "at most {}",
        "minimum": "at least {}",
        "maximum": "at most {}",
        "pattern": expects or "`{}`",
    }
    return "; ".join(words.format(kind[name]) for name, words in names.items() if name in kind)


def _media(media: dict[str, Any], kinds: list[str]) -> Iterator[list[str]]:
    """A row for each bound that any kind has, a column for each kind."""
    fewest, most = media["count"]
    span = f"{fewest} to {most}" if fewest != most else str(most)
    together = len(kinds) > 1 and not media["mix"]
    yield ["files", *([span] if not kinds else [span + (", of one kind" if together else "")] * len(kinds))]
    if media["bytes_max"]:
        yield ["bytes of all files together", *[f"{media['bytes_max']:,}"] * len(kinds)]
    for name, (label, words) in BOUNDS.items():
        values = [media[kind][name] for kind in kinds]
        if any(values):
            yield [label, *(words(value) if value else "" for value in values)]


def _rules(rules: list[dict[str, Any]]) -> Iterator[list[str]]:
    for rule in rules:
        yield [code(rule["id"]), listed(rule["at"]), rule["severity"], rule["says"]]


def _quotas(quotas: list[dict[str, Any]]) -> Iterator[list[str]]:
    for quota in quotas:
        yield [f"{quota['calls']:,}", f"{quota['seconds']:,}", code(quota["category"]), quota["scope"]]
