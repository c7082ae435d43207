"""The Pinterest API v5 as a strict, stateful fake, so that a Pin goes out without a developer account."""

from adapters.pinterest.sandbox.sandbox import PinterestSandbox

__all__ = ["PinterestSandbox"]
