"""The app: what an operator registered with a platform, and is known by there."""

from collections.abc import Mapping

import msgspec

DEFAULT_APP = "default"
"""The name of the app that this server itself has at a platform; one of an organization is named by its id."""


class App(msgspec.Struct, frozen=True, kw_only=True):
    """The credentials of an app; `name` is how grants refer to it.

    `hosts` are the base URLs of the server at which it is registered, where a platform has many.
    """

    name: str
    client_id: str
    client_secret: str
    hosts: Mapping[str, str] = {}

    def __repr__(self) -> str:
        """Without the secret."""
        return f"App({self.name}, {self.client_id})"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without the secret."""
        return [("name", self.name), ("client_id", self.client_id)]
