"""The page of sandboxes: how one is run, steered and looked into, from what each part says of itself."""

import inspect
from collections.abc import Iterator
from typing import Any

import msgspec
from aiohttp import web

from core.registry import Registry
from core.sandbox import FAULTS, Fault, Match, Recorded, Sandbox, Weather
from core.sandbox.control import PREFIX, Control
from docs.markdown import code, first_sentence, page, sentence, table

HEAD = """\
A sandbox plays a platform on your machine: strict, with a memory, and without a developer account. `fingerpost up` runs
one for each platform that has one. To try a program of your own against it, run one by itself:

```sh
fingerpost sandbox pinterest --port 8081
```

It prints a user who is ready to publish, with a token; everything that the platform's documentation says of its API
should hold below the printed `url`. What is made is lost when it ends.
"""

STEERING = """\
## Looking into it, and steering it

These calls count for no limit, are in no log, and meet no fault.
"""

SWITCHES = """\
## What a platform is like

Options of `fingerpost sandbox`:
"""

FAULT = """\
## Faults

`POST /_sandbox/faults` switches one on:

```sh
curl http://127.0.0.1:8081/_sandbox/faults -d '{"on": "POST /v5/pins", "fault": "error_after", "times": 1}'
```

`on` is a method and a path, or a path template, and `*` stands for any.
"""

WEATHER = """\
## Weather

`POST /_sandbox/weather` makes a platform hard to live with, though no call fails; null makes a field fair again.
"""

RECORD = """\
## A record

`--record FILE`, or `FINGERPOST_SANDBOX_RECORD`, which `fingerpost up` hands on, adds a line of JSON for each call to a
file.
"""


def sandboxes_page(registry: Registry) -> str:
    """The page."""
    kinds = registry.sandboxes()
    return page(
        "Sandboxes",
        HEAD,
        STEERING,
        table(("call", "what it does"), _calls(next(iter(kinds.values()))())),
        SWITCHES,
        table(("option", "usually", "what it says"), _switches(kinds)),
        FAULT,
        table(("`fault`", "what happens", "where"), _faults(kinds)),
        f"{_told(Fault)}\n",
        f"`match`: {_told(Match)}\n",
        WEATHER,
        f"{_told(Weather)}\n",
        RECORD,
        f"{_told(Recorded)}\n",
    )


def _calls(sandbox: Sandbox) -> Iterator[list[str]]:
    for route in Control(sandbox, lambda: 0).routes():
        assert isinstance(route, web.RouteDef)
        yield [code(f"{route.method} {PREFIX}{route.path.removeprefix(PREFIX)}"), first_sentence(route.handler.__doc__)]


def _switches(kinds: dict[str, type[Sandbox]]) -> Iterator[list[str]]:
    for platform, kind in kinds.items():
        for switch in kind.switches:
            usual = switch.usual(kind)
            choices = f" ({', '.join(map(code, switch.choices))})" if switch.choices else ""
            yield [
                code(switch.option(platform, kind)),
                "off" if isinstance(usual, bool) else code(str(usual)),
                switch.says + choices,
            ]


def _faults(kinds: dict[str, type[Sandbox]]) -> Iterator[list[str]]:
    own = {name: (fault, platform) for platform, kind in kinds.items() for name, fault in kind.fault_kinds.items()}
    for name, (fault, platform) in own.items():
        yield [code(name), sentence(fault.__doc__), "everywhere" if name in FAULTS else platform]


def _told(kind: type[Any]) -> str:
    """What a struct says of itself, its fields by their names in JSON."""
    text = inspect.cleandoc(kind.__doc__ or "")
    for field in msgspec.structs.fields(kind):
        text = text.replace(code(field.name), code(field.encode_name))
    return text
