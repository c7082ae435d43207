"""Logs: one JSON object a line on standard error, or readable lines in a terminal."""

import json
import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, BinaryIO, Literal
from uuid import UUID

import msgspec
import structlog

_straight_to: BinaryIO | None = None


class Line(msgspec.Struct, kw_only=True, tag_field="event"):
    """A line that is written so often that its fields are declared; the tag of its class is its event."""

    level: Literal["info"] = "info"
    timestamp: datetime = msgspec.field(default_factory=lambda: datetime.now(UTC))


def configure(level: str = "info") -> None:
    """Set logging up for this process; `level` is debug, info, warning or error."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    terminal = sys.stderr.isatty()
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            *shared,
            *([_spelled, structlog.dev.ConsoleRenderer()] if terminal else [structlog.processors.JSONRenderer(_line)]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr)
        if terminal
        else structlog.BytesLoggerFactory(sys.stderr.buffer),
        cache_logger_on_first_use=True,
    )
    renderer = structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer()
    global _straight_to
    _straight_to = sys.stderr.buffer if not terminal and threshold <= logging.INFO else None
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processor=renderer, foreign_pre_chain=shared))
    logging.basicConfig(handlers=[handler], level=max(threshold, logging.WARNING), force=True)


def write(line: Line) -> None:
    """Write a line: as JSON past structlog and its steps, but where people read it as structlog writes any other."""
    if _straight_to is None:
        _by_structlog(line)
        return
    try:
        encoded = msgspec.json.encode(line)
    except UnicodeEncodeError:
        # What no UTF-8 can write is spelled out there.
        _by_structlog(line)
        return
    _straight_to.write(encoded + b"\n")
    _straight_to.flush()


def _by_structlog(line: Line) -> None:
    said = {name: value for name, value in msgspec.structs.asdict(line).items() if value is not msgspec.UNSET}
    del said["level"], said["timestamp"]
    structlog.get_logger().info(str(type(line).__struct_config__.tag), **said)


def _spelled(logger: object, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """The event with ids as they are written, which JSON does by itself."""
    return {name: str(value) if isinstance(value, UUID) else value for name, value in event.items()}


def _line(event: dict[str, Any], default: Callable[[Any], Any]) -> bytes:
    """A line of the log, in UTF-8."""
    try:
        return msgspec.json.encode(event, enc_hook=default)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        # A platform may have said what no UTF-8 can write.
        return json.dumps(event, default=default).encode()
