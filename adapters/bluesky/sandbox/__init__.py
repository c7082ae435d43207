"""A stand-in for a server of the AT Protocol, strict where the real one is."""

from adapters.bluesky.sandbox.sandbox import BlueskySandbox

__all__ = ["BlueskySandbox"]
