"""Credentials: what of a request is secret, wherever an adapter has put its token."""

import re
from collections.abc import Callable
from urllib.parse import unquote

import httpx

TOKEN_IN_PATH = b"%7Btoken%7D"
"""How `{token}` stands in the path of a request that is not authorised yet."""

LEAST = 8
"""Characters of a secret: what is shorter is a word that texts have of themselves."""


def authorized(authorize: Callable[[httpx.Request, str], None], request: httpx.Request, token: str) -> list[str]:
    """Authorise a request, and tell what was sent in the token's place: of a token made of parts it may be one alone.

    It is looked for where `{token}` stood in the path, and behind the scheme of the header `Authorization`.
    """
    before, stood, behind = request.url.raw_path.partition(b"?")[0].partition(TOKEN_IN_PATH)
    authorize(request, token)
    sent = [request.headers.get("Authorization", "").rpartition(" ")[2]]
    if stood:
        path = request.url.raw_path.partition(b"?")[0]
        found = re.fullmatch(re.escape(before) + rb"(.*)" + re.escape(behind), path)
        written = found[1].decode("ascii") if found else ""
        sent += [written, unquote(written)]
    return [secret for secret in dict.fromkeys(sent) if len(secret) >= LEAST]
