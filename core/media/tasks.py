"""What is asked of the process that opens files, and what it answers: one JSON line each."""

import msgspec

from core.media.facts import Probe
from core.media.recipe import Fitted, Recipe

READY = b"ready\n"
"""The first line of the process: it is up, and what comes from now on speaks of files."""


class Probing(msgspec.Struct, frozen=True, kw_only=True, tag="probe"):
    """Say what the file at `path` is."""

    path: str
    seconds: float


class Mending(msgspec.Struct, frozen=True, kw_only=True, tag="mend"):
    """Do `recipe` to the picture at `source`, and write the result to `target`."""

    source: str
    target: str
    recipe: Recipe
    seconds: float


class Refusal(msgspec.Struct, frozen=True, kw_only=True, tag="refusal"):
    """The file cannot be taken; `reason` is for the log."""

    code: str
    message: str
    reason: str = ""


class Found(msgspec.Struct, frozen=True, kw_only=True, tag="found"):
    """What a file is."""

    probe: Probe


class Made(msgspec.Struct, frozen=True, kw_only=True, tag="made"):
    """What came of a recipe."""

    fitted: Fitted


Task = Probing | Mending
Answer = Found | Made | Refusal
