"""A stand-in for a server of the fediverse: Mastodon's own program, or one that only speaks as it does."""

from adapters.mastodon.sandbox.sandbox import MastodonSandbox

__all__ = ["MastodonSandbox"]
