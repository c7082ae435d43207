"""The plan of a machine: which processes of ours run on it, and what each of them is given."""

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import msgspec

from core.registry import Registry
from core.vault import Vault
from server.cli.kept import kept_secret
from server.cli.parts import Part


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """All processes by name, the environment that they share, and the URLs at which the sandboxes answer."""

    parts: dict[str, Part]
    environment: dict[str, str]
    sandboxes: dict[str, str]
    registry: Registry


class Listen(Protocol):
    """Opens a listening socket at a port, 0 for any that is free; its descriptor and URL."""

    def __call__(self, port: int, *, fallback: bool = False) -> tuple[int, str]:
        """With `fallback` any port will do where that one is taken."""
        ...


def made(state: Path, port: int, *, api_url: str, listen: Listen, environ: Mapping[str, str]) -> Plan:
    """The plan for a state folder, with the sandboxes behind the port of the API; what `environ` sets stays."""
    registry = Registry.installed()
    environment = {
        "FINGERPOST_PUBLIC_URL": api_url,
        # A newcomer's own machine may receive webhooks and serve pictures.
        "FINGERPOST_ALLOW_URLS": "loopback",
    }
    # A first post is made of examples: a platform that gives none has no part in it.
    kinds = {name: kind for name, kind in registry.sandboxes().items() if registry[name].example("", "")}
    places: list[int] = []
    sandboxes: dict[str, str] = {}
    for number, platform in enumerate(sorted(kinds), start=1):
        place, url = listen(port and port + number, fallback=True)
        sandboxes[platform] = url
        places.append(place)
        environment |= {f"FINGERPOST_{platform}_{host.upper()}_URL": url for host in registry[platform].hosts}
        if (app := kinds[platform].app) is not None:
            environment[f"FINGERPOST_{platform}_CLIENT_ID"] = app[0]
            environment[f"FINGERPOST_{platform}_CLIENT_SECRET"] = app[1]
    environment |= environ
    environment["FINGERPOST_STATE"] = str(state)
    if not environment.get("FINGERPOST_MASTER_KEYS") and not environment.get("FINGERPOST_MASTER_KEYS_FILE"):
        environment["FINGERPOST_MASTER_KEYS"] = kept_secret(state / "master.keys", Vault.generate)
    handed = [word for place in places for word in ("--fd", str(place))]
    parts = {
        # One that begins again knows its first user, whose account has been connected.
        "sandboxes": Part(arguments=["sandbox", *sandboxes, *handed], again=["--users", "1"], sockets=places),
        "schedule": Part(arguments=["schedule"], tells=True),
        "work": Part(arguments=["work"], tells=True),
    }
    return Plan(parts=parts, environment=environment, sandboxes=sandboxes, registry=registry)
