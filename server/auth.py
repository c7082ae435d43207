"""Authentication and admission: an API key under any of three headers, and what each route asks of it."""

from typing import Literal

import msgspec
from litestar import types

from core.errors import Forbidden, NotAuthenticated, NotFound
from core.ids import parse_id
from core.tenants.bounds import Bounds, Noun
from core.tenants.callers import ADMIN, Caller, Operator, Scope
from core.tenants.keyring import Keyring

OPEN = "open"
"""The mark of a route that needs no key."""

ACCESS = "access"
"""Under which name a route's `Access` stands among its options."""

HEADERS = ("x-api-key", "x-access-key")
"""The headers that hold a key as it is; `Authorization: Bearer` (RFC 6750) is the third way."""

_PLAIN = tuple(name.encode() for name in HEADERS)
_SPELLED = frozenset({*_PLAIN, b"authorization"})

_WHERE = "Send it in the header `x-api-key`, in `x-access-key`, or as `Authorization: Bearer <key>`."

Narrowest = Literal["organization", "team", "accounts"]
"""The narrowest keys that a route serves: those of whole organizations alone, of teams too, of some accounts too."""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """What a route asks of a key. `ids` says what its path parameters name; a key that does not reach it finds nothing.

    A route for narrow keys that takes ids elsewhere than in its path looks at `Caller.reach` itself.
    """

    scope: Scope | Literal["admin"]
    narrowest: Narrowest = "organization"
    ids: dict[str, Noun] = {}


def access(scope: Scope | Literal["admin"], narrowest: Narrowest = "organization", **ids: Noun) -> dict[str, Access]:
    """The options of a route: `@get("/{id:str}", opt=access("read", "accounts", id="post"))`."""
    return {ACCESS: Access(scope=scope, narrowest=narrowest, ids=ids)}


def is_open(scope: types.Scope) -> bool:
    """Whether anybody may make this request: to a route that is marked so, or to be told which methods there are."""
    return bool(scope["route_handler"].opt.get(OPEN)) or scope.get("method") == "OPTIONS"


async def authenticate(scope: types.Scope) -> Caller | Operator:
    """Whose key is in a request. Raises `NotAuthenticated` without one that is known."""
    secret = _secret(scope)
    if secret is None:
        raise NotAuthenticated(f"There is no API key in the request. {_WHERE}")
    keyring: Keyring = scope["litestar_app"].state.keyring
    caller = await keyring.authenticate(secret)
    if caller is None:
        raise NotAuthenticated(f"This API key is not known; it may have expired or been revoked. {_WHERE}")
    return caller


async def admit(scope: types.Scope, caller: Caller | Operator) -> None:
    """Raise `Forbidden` for a key that does not suffice for its route, `NotFound` for what it cannot see.

    A route that declares nothing serves nobody.
    """
    asked = scope["route_handler"].opt.get(ACCESS)
    if not isinstance(asked, Access):
        raise Forbidden("No key may use this address.")
    if isinstance(caller, Operator):
        if asked.scope != ADMIN:
            raise Forbidden("A platform admin's key makes organizations and their first keys, and nothing else.")
        return
    if asked.scope not in caller.scopes:
        raise Forbidden(f"This API key lacks the scope `{asked.scope}`, which this call needs.")
    narrowness: Narrowest = (
        "accounts" if caller.reach.account_ids is not None else "organization" if caller.reach.whole else "team"
    )
    if _WIDTHS.index(narrowness) > _WIDTHS.index(asked.narrowest):
        raise Forbidden(f"This API key is for {_FOR[narrowness]} only; this call needs {_NEEDS[asked.narrowest]}.")
    bounds: Bounds = scope["litestar_app"].state.bounds
    for name, noun in asked.ids.items():
        id = parse_id(scope["path_params"][name])
        if id is None or not await bounds.reached(caller, noun, id):
            raise NotFound(f"There is no such {noun.replace('_', ' ')}.")


_WIDTHS: tuple[Narrowest, ...] = ("organization", "team", "accounts")
_FOR: dict[Narrowest, str] = {"team": "one team", "accounts": "some accounts"}
_NEEDS: dict[Narrowest, str] = {
    "organization": "one for the whole organization",
    "team": "one for a team or for the whole organization",
}


def _secret(scope: types.Scope) -> str | None:
    # Of a header that comes twice the first counts.
    sent = {name: value.strip() for name, value in reversed([*scope["headers"]]) if name in _SPELLED}
    for spelled in _PLAIN:
        if secret := sent.get(spelled):
            return secret.decode("latin-1")
    scheme, _, bearer = sent.get(b"authorization", b"").partition(b" ")
    return bearer.strip().decode("latin-1") or None if scheme.lower() == b"bearer" else None
