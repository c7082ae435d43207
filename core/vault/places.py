"""The places of secrets: every column that the vault seals, named once."""

from typing import NamedTuple


class Place(NamedTuple):
    """A column with sealed values; `id` is the row's identity in it, as text."""

    table: str
    column: str

    def __str__(self) -> str:
        return f"{self.table}.{self.column}"


PLACES = (
    Place("grants", "access_token"),
    Place("grants", "refresh_token"),
    Place("webhook_endpoints", "secret"),
    Place("webhook_endpoints", "previous_secret"),
    Place("apps", "client_secret"),
    Place("server_apps", "client_secret"),
    Place("sign_ins", "verifier"),
)
"""A column that is not among these is not rotated, and a lost key not noticed for it: add yours."""
