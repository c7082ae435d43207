"""The types of event that a client can subscribe to, in one list."""

from core.events.kinds import KINDS

EVENT_TYPES: tuple[str, ...] = tuple(kind.type for kind in KINDS)
"""The names of all kinds of event; see `core.events.kinds` for what each says."""
