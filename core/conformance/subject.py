"""The subject of an examination: an adapter with its sandbox, and a sound post for it."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from core.conformance.specimens import specimens
from core.drafting import AnyAdapter, Drafted, drafted
from core.findings import Path
from core.limits import Limits
from core.post import Account, Media, Shared
from core.sandbox import Sandbox

SHARED = Shared(title="A post", text="Something to say", alt_text="What the picture shows", media_fit="off")
"""The shared part of every post that is tried."""

NOWHERE = "https://example.com/picture.png"


class NotExamined(Exception):
    """A check cannot be made of this subject; the message says why."""


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """An adapter, the class of its sandbox if it has one, and the way in which accounts are connected there.

    `account` is such an account where there is a sandbox, and `channel_id` the channel that examples publish to.
    """

    adapter: AnyAdapter
    sandbox: type[Sandbox] | None
    way: str = ""
    account: Account | None = None
    channel_id: str = "1"

    @property
    def path(self) -> Path:
        """Where the block stands in a request."""
        return ("data", self.adapter.platform)

    @property
    def limits(self) -> Limits:
        """What the platform allows the account."""
        return self.adapter.limits_of(self.account)

    def uploads(self) -> Mapping[str, Media]:
        """Sound files by the names that examples use: `image`, `image-2`, `video`, …"""
        return specimens(self.limits.media)

    def blocks(self, picture_url: str = NOWHERE) -> Iterator[dict[str, Any]]:
        """The adapter's own example, and once more with an upload where it gives a URL."""
        block = dict(self.adapter.example(self.channel_id, picture_url))
        by = self.limits.media.by
        if not block.get("mediaUrls") or by != "bytes":
            yield dict(block)
        if block.pop("mediaUrls", None) and by != "url":
            yield block | {"uploadIds": ["image"]}

    def drafted(self, block: Mapping[str, Any], uploads: Mapping[str, Media] | None = None) -> Drafted:
        """What becomes of a block, with `uploads` other than the sound ones where they are given."""
        sent = {name: value for name, value in block.items() if value is not None}
        files = self.uploads() if uploads is None else uploads
        return drafted(self.adapter, SHARED, sent, path=self.path, account=self.account, uploads=files)
