"""Who calls, and what the caller's token allows."""

from collections.abc import Sequence

import msgspec
from aiohttp import web

from adapters.pinterest.sandbox.refusals import (
    forbidden,
    no_pin,
    unauthenticated,
    unscoped,
)
from adapters.pinterest.sandbox.things import Board, Pin, Token, User
from adapters.pinterest.sandbox.world import World


class Caller(msgspec.Struct, frozen=True, kw_only=True):
    """A caller with a good token, and the part of the world that is theirs."""

    world: World
    token: Token

    @property
    def user(self) -> User:
        """The user on whose behalf the call is made."""
        return self.token.user

    def sees(self, board: Board) -> bool:
        """Whether the board is the caller's and the token reaches it: a secret one wants a scope of its own."""
        readable = board.privacy != "SECRET" or "boards:read_secret" in self.token.scopes
        return board.owner == self.user and readable

    def board(self, number: str) -> Board | None:
        """The caller's board of this id; somebody else's is as good as none."""
        board = self.world.boards.get(number)
        return board if board is not None and self.sees(board) else None

    def pin(self, number: str) -> Pin:
        """The caller's Pin of this id."""
        pin = self.world.pins.get(number)
        if pin is None or (pin.owner == self.user and self.board(pin.board) is None):
            raise no_pin()
        if pin.owner != self.user:
            raise forbidden()
        return pin

    def require(self, *scopes: str) -> None:
        """Raises the refusal that names which of `scopes` the token lacks."""
        missing = [scope for scope in scopes if scope not in self.token.scopes]
        if missing:
            raise unscoped(missing)


def bearer(world: World, request: web.Request) -> Token | None:
    """The living token that came with a request (RFC 6750 §2.1)."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    return world.token(value.strip()) if scheme.lower() == "bearer" else None


def caller_of(world: World, request: web.Request, scopes: Sequence[str]) -> Caller:
    """The caller, once the token is found good for what needs `scopes`."""
    token = bearer(world, request)
    if token is None:
        raise unauthenticated()
    caller = Caller(world=world, token=token)
    caller.require(*scopes)
    return caller
