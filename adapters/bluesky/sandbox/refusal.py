"""How the stand-in says no: as XRPC does, with the name of an error and a message."""

from typing import Any


class Refused(Exception):
    """An answer of status 400 and up."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"error": error, "message": message}


def invalid(message: str) -> Refused:
    """What is wrong with the request itself."""
    return Refused(400, "InvalidRequest", message)
