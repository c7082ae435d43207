"""The keys under which files are stored: they say whose a file is, and mean the same in every place."""

import re
from uuid import UUID

_ID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(
    rf"{_ID}/[0-9a-f]{{2}}/[0-9a-f]{{64}}-{_ID}(?:-[0-9a-f]{{16}})?\.[a-z0-9]{{1,8}}|incoming/{_ID}/{_ID}"
)


def storage_key(team_id: UUID, sha256: bytes, upload_id: UUID, extension: str) -> str:
    """`<team>/<aa>/<sha256>-<upload>.<ext>`; with the upload's id, so that one takes no other's file along."""
    digest = sha256.hex()
    return f"{team_id}/{digest[:2]}/{digest}-{upload_id}.{extension}"


def rendition_key(original: str, recipe: str, extension: str) -> str:
    """Beside the file at `original`, the one that was made of it by a recipe."""
    return f"{original.rpartition('.')[0]}-{recipe}.{extension}"


def slot_key(team_id: UUID, slot_id: UUID) -> str:
    """`incoming/<team>/<slot>`, for a file that a client puts there by itself."""
    return f"incoming/{team_id}/{slot_id}"


def checked(key: str) -> str:
    """The key. Raises ValueError for what is none: a key of ours leads nowhere else."""
    if not _KEY.fullmatch(key):
        raise ValueError(f"{key!r} is no storage key")
    return key
