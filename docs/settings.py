"""The page of settings, from `core.settings.Settings` and the hosts that adapters declare."""

from collections.abc import Iterator

import msgspec
from msgspec import inspect

from core.connect import OAuth
from core.registry import Registry
from core.settings import PREFIX, Settings, variable
from docs.markdown import code, listed, page, table

HEAD = """\
Settings are environment variables, read once when a process starts. A missing or wrong one is named, and the process
ends with exit code 1; a variable that begins with `FINGERPOST_` and is none of these is an error too. `fingerpost up`
and `fingerpost demo` set what is missing for the processes that they start.
"""

HOSTS = """\
## Hosts of platforms

Where the calls to a platform go. `fingerpost up` points those of a platform that ships a sandbox to it, unless they
are set.
"""


ALLOWANCES = """\
## Allowances of platforms

How much of what a platform allows is used; see [its own page](platforms/) for the quotas.
"""

APPS = """\
## Apps at platforms

What you registered with a platform whose accounts are connected by OAuth. The address that it asks for (redirect URI)
is `<FINGERPOST_PUBLIC_URL>/connect/callback/<platform>`, in lower case. An organization may bring its own by
`PUT /api/v1/app/{type}`.
"""


def settings_page(registry: Registry) -> str:
    """The page."""
    fields = inspect.type_info(Settings)
    assert isinstance(fields, inspect.StructType)
    own = [_row(field) for field in fields.fields if field.name not in ("hosts", "allowances", "apps")]
    hosts = [
        [code(f"{PREFIX}{name}_{host.upper()}_URL"), code(url), f"{adapter.label}, the host called `{host}`"]
        for name, adapter in sorted(registry.items())
        for host, url in adapter.hosts.items()
    ]
    apps = [
        [code(f"{PREFIX}{name}{which}"), "empty", f"{adapter.label}, {words}"]
        for name, adapter in sorted(registry.items())
        if isinstance(adapter.connect, OAuth)
        for which, words in (
            ("_CLIENT_ID", "the id of the app"),
            ("_CLIENT_SECRET", "the secret of the app"),
            ("_SCOPES", "what accounts are asked for beyond what publishing needs, with commas"),
        )
    ]
    heads = ("variable", "default", "what it is")
    allowances = list(_allowances(registry))
    return page(
        "Settings",
        HEAD,
        table(heads, own),
        HOSTS,
        table(heads, hosts),
        ALLOWANCES,
        table(heads, allowances),
        APPS,
        table(heads, apps),
    )


def _allowances(registry: Registry) -> Iterator[list[str]]:
    for name, adapter in sorted(registry.items()):
        if adapter.tiers:
            tiers = f"{adapter.label}, the access tier of the app: {listed(adapter.tiers)}"
            default = next(tier for tier, quotas in adapter.tiers.items() if quotas == adapter.quotas)
            yield [code(f"{PREFIX}{name}_TIER"), code(default), tiers]
        if adapter.quotas:
            share = f"{adapter.label}, the share of each quota that is used, above 0 and up to 1"
            yield [code(f"{PREFIX}{name}_SHARE"), "`1`", share]


def _row(field: inspect.Field) -> list[str]:
    kind = field.type
    extra = kind.extra_json_schema or {} if isinstance(kind, inspect.Metadata) else {}
    default = "**has to be set**" if field.required else _shown(field.default)
    return [code(variable(field.name)), default, str(extra.get("description", ""))]


def _shown(value: object) -> str:
    if value is msgspec.NODEFAULT or value == "":
        return "empty"
    return code(f"{value:g}" if isinstance(value, float) else str(value))
