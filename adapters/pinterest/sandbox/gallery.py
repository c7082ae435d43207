"""The pictures of the newest Pins, kept for the pages that show them and for Pins that use them again."""

from collections import OrderedDict

from adapters.pinterest.sandbox.things import Picture


class Gallery:
    """Keeps pictures up to `room` bytes; those unused the longest make place."""

    def __init__(self, room: int = 64 * 2**20) -> None:
        self._room = room
        self._held = 0
        self._pictures: OrderedDict[str, tuple[Picture, bytes]] = OrderedDict()

    def keep(self, picture: Picture, data: bytes) -> None:
        """Takes a picture in."""
        if picture.sha256 not in self._pictures:
            self._pictures[picture.sha256] = (picture, data)
            self._held += len(data)
        while self._held > self._room:
            _, (_, dropped) = self._pictures.popitem(last=False)
            self._held -= len(dropped)

    def find(self, sha256: str) -> tuple[Picture, bytes] | None:
        """A picture and its bytes, if it is still there."""
        if sha256 in self._pictures:
            self._pictures.move_to_end(sha256)
        return self._pictures.get(sha256)
