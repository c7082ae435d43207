"""The way to a platform's consent page, and the proof key that binds the code to whoever asked for it."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from core.connect import OAuth
from core.oauth.app import App


def authorization_url(
    oauth: OAuth,
    app: App,
    hosts: Mapping[str, str],
    *,
    redirect_uri: str,
    state: str,
    verifier: str,
    more: Sequence[str] = (),
) -> str:
    """Where a browser is sent to ask for consent (RFC 6749 §4.1.1), with the challenge of `verifier` where it may be.

    `hosts` are the adapter's, as they stand in braces in its URLs; `more` are scopes beyond what publishing needs.
    """
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "redirect_uri": redirect_uri,
        "scope": oauth.scope_separator.join(dict.fromkeys((*oauth.scopes, *more))),
        "state": state,
        **oauth.authorize_params,
    }
    if oauth.pkce:
        query |= {"code_challenge": challenge(verifier), "code_challenge_method": "S256"}
    url = oauth.authorize_url.format_map(hosts)
    return f"{url}{'&' if '?' in url else '?'}{urlencode(query)}"


def challenge(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636 §4.2)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
