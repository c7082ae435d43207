"""The door by which adapters enter: pluggy hooks, called on every module named in the entry-point group."""

from collections.abc import Iterable
from typing import Any

import pluggy

from core.adapter import Adapter

PROJECT = "fingerpost"
GROUP = "fingerpost.adapters"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


@hookspec
def fingerpost_adapters() -> Iterable[Adapter[Any]]:
    """The adapters of this plug-in, one for each platform that it serves."""
    raise NotImplementedError


@hookspec
def fingerpost_vocabulary() -> Iterable[str]:
    """The names of platforms that clients know from the wire format, whether an adapter serves them or not."""
    raise NotImplementedError
