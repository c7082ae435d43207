"""The state of the platform: who and what there is, and what belongs to whom."""

import random
from collections.abc import Collection, Iterator
from itertools import count
from string import ascii_letters, digits

import msgspec

from adapters.pinterest.sandbox.films import Film, new_film
from adapters.pinterest.sandbox.things import Board, Pin, Section, Token, User
from fingerpost import Sandbox

ACCESS_SECONDS = 30 * 86_400
REFRESH_SECONDS = 60 * 86_400
FEATURES = frozenset({"pin_update", "multi_pin_analytics"})
"""What is in beta, and granted to some apps only."""
MOST_PINS, MOST_BOARDS = 200_000, 2000
"""Of one account (Pinterest's guide to content)."""


class World:
    """Everything that lives on the platform, the oldest first in every collection.

    `platform` has the clocks and the weather. `granted` are the features in beta that apps may use, and `tells_figures`
    says whether there are analytics.
    Ids of what is made in the course of time follow the clock, so that a sandbox started anew gives none twice.
    Users, their first boards and their tokens come from `rng` alone: with the same seed they are the same again.
    """

    def __init__(self, platform: Sandbox, rng: random.Random) -> None:
        self.platform = platform
        self.granted = FEATURES
        self.tells_figures = True
        self._rng = rng
        self._last_id = 0
        self._serials = count(1)
        self.users: dict[str, User] = {}
        self.access: dict[str, Token] = {}
        self.refresh: dict[str, Token] = {}
        self.boards: dict[str, Board] = {}
        self.sections: dict[str, Section] = {}
        self.pins: dict[str, Pin] = {}
        self.films: dict[str, Film] = {}
        self.media_seconds, self.media_fails = 0.0, False
        self.makes_videos = True
        self.most_pins, self.most_boards = MOST_PINS, MOST_BOARDS

    def new_id(self) -> str:
        """An id of 18 digits that was not given before."""
        self._last_id = max(self._last_id + 1, int(self.platform.clock() * 10**8))
        return f"{self._last_id:018d}"

    def next_serial(self) -> int:
        """The place in the order of making that the next thing takes."""
        return next(self._serials)

    def drawn_id(self) -> str:
        """An id of 18 digits that depends on nothing but the randomness handed in."""
        return str(self._rng.randrange(5 * 10**17, 9 * 10**17))

    def add_user(self, username: str) -> User:
        """A new user without boards."""
        user = User(id=self.drawn_id(), username=username)
        self.users[user.id] = user
        return user

    def issue(self, user: User, *, app: str, scopes: Collection[str], lifetime: float = ACCESS_SECONDS) -> Token:
        """A new access token, good for `lifetime` seconds."""
        token = self._token("pina_", user, app, scopes, lifetime)
        self.access[token.value] = token
        return token

    def issue_refresh(self, token: Token) -> Token:
        """The refresh token that goes with an access token."""
        refresh = self._token("pinr_", token.user, token.app, token.scopes, REFRESH_SECONDS)
        self.refresh[refresh.value] = refresh
        return refresh

    def expire(self, user: User) -> None:
        """Ends the access tokens of a user."""
        self.access = {value: token for value, token in self.access.items() if token.user != user}

    def revoke(self, user: User) -> None:
        """Ends every token of a user."""
        self.expire(user)
        self.refresh = {value: token for value, token in self.refresh.items() if token.user != user}

    def token(self, value: str) -> Token | None:
        """The living access token of this value."""
        token = self.access.get(value)
        return token if token is not None and self.platform.now() < token.expires else None

    def add_board(
        self,
        owner: User,
        name: str,
        *,
        number: str | None = None,
        description: str | None = None,
        privacy: str = "PUBLIC",
        is_ads_only: bool = False,
    ) -> Board:
        """A new empty board."""
        now = self.platform.now()
        board = Board(
            id=number or self.new_id(),
            serial=self.next_serial(),
            owner=owner,
            name=name,
            description=description,
            privacy=privacy,
            is_ads_only=is_ads_only,
            created=self.platform.clock(),
            dated=now,
            modified=now,
        )
        self.boards[board.id] = board
        return board

    def remove_board(self, board: Board) -> None:
        """Removes a board with its sections and Pins."""
        del self.boards[board.id]
        self.sections = {key: each for key, each in self.sections.items() if each.board != board.id}
        self.pins = {key: each for key, each in self.pins.items() if each.board != board.id}

    def add_section(self, board: Board, name: str) -> Section:
        """A new section of a board."""
        section = Section(
            id=self.new_id(),
            serial=self.next_serial(),
            board=board.id,
            name=name,
            created=self.platform.clock(),
        )
        self.sections[section.id] = section
        return section

    def remove_section(self, section: Section) -> None:
        """Removes a section; its Pins stay on the board."""
        del self.sections[section.id]
        self.pins = {
            key: msgspec.structs.replace(each, section=None) if each.section == section.id else each
            for key, each in self.pins.items()
        }

    def add_film(self, owner: User) -> Film:
        """A newly registered video."""
        film = new_film(
            self.new_id(),
            self.next_serial(),
            owner,
            created=self.platform.clock(),
            dated=self.platform.now(),
            seconds=self.media_seconds,
            fails=self.media_fails,
        )
        self.films[film.id] = film
        return film

    def is_full(self, user: User) -> bool:
        """Whether an account holds as many Pins as one may."""
        return len(self.pins) >= self.most_pins and sum(1 for _ in self.pins_of(user)) >= self.most_pins

    def add_pin(self, pin: Pin) -> None:
        """Puts a Pin on its board."""
        self.pins[pin.id] = pin
        self._touch(pin.board)

    def change_pin(self, pin: Pin) -> None:
        """Puts a changed Pin in the place of what it was."""
        self._touch(self.pins[pin.id].board)
        self.pins[pin.id] = pin
        self._touch(pin.board)

    def remove_pin(self, pin: Pin) -> None:
        """Takes a Pin off its board."""
        del self.pins[pin.id]
        self._touch(pin.board)

    def boards_of(self, user: User) -> Iterator[Board]:
        """The boards of a user, the newest first."""
        return (board for board in reversed(self.boards.values()) if board.owner == user)

    def pins_on(self, board: Board) -> Iterator[Pin]:
        """The Pins of a board, the newest first."""
        return (pin for pin in reversed(self.pins.values()) if pin.board == board.id)

    def pins_of(self, user: User) -> Iterator[Pin]:
        """The Pins of a user, the newest first."""
        return (pin for pin in reversed(self.pins.values()) if pin.owner == user)

    def sections_of(self, board: Board) -> Iterator[Section]:
        """The sections of a board, the newest first."""
        return (each for each in reversed(self.sections.values()) if each.board == board.id)

    def _touch(self, board: str) -> None:
        known = self.boards.get(board)
        if known is not None:
            self.boards[board] = msgspec.structs.replace(known, modified=self.platform.now())

    def _token(self, prefix: str, user: User, app: str, scopes: Collection[str], lifetime: float) -> Token:
        value = prefix + "".join(self._rng.choices(ascii_letters + digits, k=64))
        expires = self.platform.now() + lifetime
        return Token(value=value, user=user, app=app, scopes=frozenset(scopes), expires=expires)
