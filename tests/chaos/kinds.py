"""The kinds of certainty, a platform for each, and everything that may happen to a call."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from adapters.bluesky.sandbox import BlueskySandbox
from adapters.discord.sandbox import DiscordSandbox
from adapters.echo.sandbox import EchoSandbox
from adapters.mastodon.sandbox import MastodonSandbox
from adapters.pinterest.sandbox import PinterestSandbox
from core.registry import Registry
from core.sandbox import Sandbox
from tests.platforms import mute, two_phase
from tests.platforms.mute import MuteSandbox
from tests.platforms.two_phase import TwoPhaseSandbox


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A platform of one kind: its create, a read that can be disturbed, and whether a person may be needed.

    `steps` says that something is done before the create, such as an upload.
    """

    sandbox: Callable[..., Sandbox]
    create: str
    read: str
    reviews: bool = False
    steps: bool = False


class GotosocialSandbox(MastodonSandbox):
    """The flavour that ignores keys."""

    def __init__(self, **options: Any) -> None:
        super().__init__(way="gotosocial", **options)


KINDS = {
    "key": Kind(sandbox=EchoSandbox, create="POST /messages", read="GET /me"),
    "two-phase": Kind(
        sandbox=TwoPhaseSandbox, create="POST /containers/{id}/publish", read="GET /containers/{id}", steps=True
    ),
    "read-back": Kind(sandbox=PinterestSandbox, create="POST /v5/pins", read="GET /v5/boards/{board_id}/pins"),
    "key of its own": Kind(
        sandbox=BlueskySandbox,
        create="POST /xrpc/com.atproto.repo.putRecord",
        read="POST /xrpc/com.atproto.repo.uploadBlob",
        steps=True,
    ),
    "key of its server": Kind(
        sandbox=MastodonSandbox, create="POST /api/v1/statuses", read="POST /api/v2/media", steps=True
    ),
    "read-back of its server": Kind(
        sandbox=GotosocialSandbox,
        create="POST /api/v1/statuses",
        read="GET /api/v1/accounts/{id}/statuses",
        steps=True,
    ),
    "none": Kind(sandbox=MuteSandbox, create="POST /hook", read="GET /hook", reviews=True),
}

BUSY = (10_000, 1.0)
"""Messages that a sandbox takes in so many seconds, where a test is not about that."""

PLATFORMS = KINDS | {
    "discord-bot": Kind(
        sandbox=partial(DiscordSandbox, way="bot", messages=BUSY),
        create="POST /channels/{channel}/messages",
        read="GET /users/@me",
        # Its key is remembered for some minutes only.
        reviews=True,
    ),
    "discord-webhook": Kind(
        sandbox=partial(DiscordSandbox, way="webhook", messages=BUSY),
        create="POST /webhooks/{webhook}/{token}",
        read="GET /webhooks/{webhook}/{token}",
        reviews=True,
    ),
}
"""Those kinds, and real platforms by each way of being connected."""

STORM: dict[str, dict[str, Any]] = {
    "error_after": {"status": 500},
    "error": {"status": 503},
    "reset_after": {},
    "reset_before": {},
    "hang_after": {"seconds": 60},
    "garbage": {},
}
"""Everything that may happen to a call, before its work is done and after."""


def every() -> Registry:
    """The adapters that are installed, and the tests' own."""
    modules = {type(adapter).__module__ for adapter in Registry.installed().values()}
    plugins = {module: sys.modules[module.removesuffix(".adapter")] for module in modules}
    return Registry(plugins | {"two-phase": two_phase, "mute": mute})


def strangers(folder: Path) -> dict[str, str]:
    """An environment in which processes of ours find the tests' adapters installed, as they find a stranger's."""
    info = folder / "site" / "strangers-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: strangers\nVersion: 1.0\n")
    points = ("two-phase = tests.platforms.two_phase", "mute = tests.platforms.mute")
    (info / "entry_points.txt").write_text("\n".join(["[fingerpost.adapters]", *points, ""]))
    return {"PYTHONPATH": str(info.parent)}
