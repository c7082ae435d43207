"""Browsers as callers of the API: whose pages may call it (CORS), and answers made small for the way (gzip)."""

from litestar.config.compression import CompressionConfig
from litestar.config.cors import CORSConfig

from core.settings import Settings
from server.access import HEADER

TOLD = (HEADER, "retry-after", "ratelimit", "ratelimit-policy", "etag", "location", "www-authenticate")
"""The headers of answers that pages may read."""

_SENT = (
    "authorization",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "x-access-key",
    "x-api-key",
    HEADER,
)
_HOUR = 3600
_SMALLEST_BYTES = 1000


def cors(settings: Settings) -> CORSConfig | None:
    """What pages of other origins may do: nothing, unless a setting names them. Keys come in headers, not cookies."""
    if not settings.origins:
        return None
    return CORSConfig(
        allow_origins=settings.origins,
        allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=list(_SENT),
        expose_headers=list(TOLD),
        max_age=_HOUR,
    )


def compression() -> CompressionConfig:
    """Answers are compressed, but for media, which are, and for lines, which have to go out one by one."""
    return CompressionConfig(
        backend="gzip", minimum_size=_SMALLEST_BYTES, exclude=["^/media/", "^/api/v1/post/bulk", "^/connect"]
    )
