"""Authentication: an API key under any of the headers in which clients send one."""

from typing import Any

from litestar.connection import ASGIConnection
from litestar.middleware.authentication import AbstractAuthenticationMiddleware, AuthenticationResult

from core.errors import NotAuthenticated
from core.tenants.tenants import Tenants

OPEN = "open"
"""The mark of a route that needs no key."""

HEADERS = ("x-api-key", "x-access-key")
"""The headers that hold a key as it is; `Authorization: Bearer` (RFC 6750) is the third way."""

_WHERE = "Send it in the header `x-api-key`, in `x-access-key`, or as `Authorization: Bearer <key>`."


class KeyAuthentication(AbstractAuthenticationMiddleware):
    """Puts the `Caller` of a known key on the request as its user. Raises `NotAuthenticated` without one."""

    async def authenticate_request(self, connection: ASGIConnection[Any, Any, Any, Any]) -> AuthenticationResult:
        """See the class."""
        secret = _secret(connection)
        if secret is None:
            raise NotAuthenticated(f"There is no API key in the request. {_WHERE}")
        tenants: Tenants = connection.app.state.tenants
        caller = await tenants.authenticate(secret)
        if caller is None:
            raise NotAuthenticated(f"This API key is not known; it may have expired or been revoked. {_WHERE}")
        return AuthenticationResult(user=caller, auth=None)


def _secret(connection: ASGIConnection[Any, Any, Any, Any]) -> str | None:
    for name in HEADERS:
        if secret := connection.headers.get(name, "").strip():
            return secret
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() or None if scheme.lower() == "bearer" else None
