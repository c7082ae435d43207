"""The page of settings, from `core.settings.Settings` and the hosts that adapters declare."""

import msgspec
from msgspec import inspect

from core.registry import Registry
from core.settings import PREFIX, Settings, variable
from docs.markdown import code, page, table

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


def settings_page(registry: Registry) -> str:
    """The page."""
    fields = inspect.type_info(Settings)
    assert isinstance(fields, inspect.StructType)
    own = [_row(field) for field in fields.fields if field.name != "hosts"]
    hosts = [
        [code(f"{PREFIX}{name}_{host.upper()}_URL"), code(url), f"{adapter.label}, the host called `{host}`"]
        for name, adapter in sorted(registry.items())
        for host, url in adapter.hosts.items()
    ]
    heads = ("variable", "default", "what it is")
    return page("Settings", HEAD, table(heads, own), HOSTS, table(heads, hosts))


def _row(field: inspect.Field) -> list[str]:
    kind = field.type
    extra = kind.extra_json_schema or {} if isinstance(kind, inspect.Metadata) else {}
    default = "**has to be set**" if field.required else _shown(field.default)
    return [code(variable(field.name)), default, str(extra.get("description", ""))]


def _shown(value: object) -> str:
    if value is msgspec.NODEFAULT or value == "":
        return "empty"
    return code(f"{value:g}" if isinstance(value, float) else str(value))
