"""The token endpoint: a code or a refresh token exchanged for tokens, and what its refusals mean."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec

from core.answers import redacted, retry_after, seconds_until
from core.connect import OAuth, Tokens
from core.errors import NotAuthorized, OutcomeUnknown, PublishError, RateLimited, Rejected, Unavailable
from core.http import read_bounded
from core.oauth.app import App

ANSWER_BYTES = 65_536
"""How much of an answer is read; tokens are far shorter."""

_SHOWN = 300
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol)
_FOREVER = 10 * 365 * 86_400.0


class TokenEndpoint:
    """One platform's token endpoint, for one app. `client` is the caller's; it neither redirects nor retries.

    `classify` is the adapter's word on a refusal; where it has none, RFC 6749 §5.2 speaks.
    """

    def __init__(
        self,
        oauth: OAuth,
        app: App,
        hosts: Mapping[str, str],
        client: httpx.AsyncClient,
        classify: Callable[[httpx.Response], PublishError | None],
    ) -> None:
        self._oauth = oauth
        self._app = app
        self._url = oauth.token_url.format_map(hosts)
        self._client = client
        self._classify = classify

    @property
    def path(self) -> str:
        """Its path, by which a platform's quotas name it."""
        return httpx.URL(self._url).path

    async def exchange(self, code: str, *, redirect_uri: str, verifier: str) -> Tokens:
        """The tokens for a code (RFC 6749 §4.1.3). Raises like `refresh`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            **self._oauth.token_params,
        }
        if self._oauth.pkce:
            form["code_verifier"] = verifier
        return await self._ask(form, [code, verifier])

    async def refresh(self, refresh_token: str) -> Tokens:
        """New tokens for a refresh token (RFC 6749 §6).

        Raises `NotAuthorized` where the grant is gone; `Rejected` where the platform finds fault with the app;
        `RateLimited` and `Unavailable` where nothing has changed there; and `OutcomeUnknown` where the refresh
        token may have been used up although its answer did not come.
        """
        return await self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token}, [refresh_token])

    async def knows_us(self) -> bool:
        """Whether the app is still registered (RFC 6749 §4.4). Raises like `refresh` where nobody knows.

        A platform that gives no tokens for that says so only to an app that it knows (§5.2).
        """
        try:
            await self._ask({"grant_type": "client_credentials"}, [])
        except (Rejected, NotAuthorized) as error:
            return error.platform_code == "unauthorized_client"
        return True

    async def _ask(self, form: dict[str, str], secrets: list[str]) -> Tokens:
        auth = httpx.BasicAuth(self._app.client_id, self._app.client_secret) if self._oauth.basic_auth else None
        if auth is None:
            form |= {"client_id": self._app.client_id, "client_secret": self._app.client_secret}
        headers = {"Accept": "application/json"}
        try:
            async with self._client.stream("POST", self._url, data=form, headers=headers, auth=auth) as response:
                body = await read_bounded(response, ANSWER_BYTES)
        except _NOT_SENT as error:
            raise Unavailable("The platform's token endpoint cannot be reached.") from error
        except httpx.HTTPError as error:
            words = f"The platform's token endpoint gave no answer ({type(error).__name__})."
            raise OutcomeUnknown(words) from error
        whole = httpx.Response(response.status_code, headers=_plain(response.headers), content=body)
        if not whole.is_success:
            raise self._refusal(whole, [*secrets, self._app.client_secret])
        return _read(whole)

    def _refusal(self, response: httpx.Response, secrets: list[str]) -> PublishError:
        status = response.status_code
        if (own := self._classify(response)) is not None:
            return own
        error, words = _told(response, secrets)
        if error == "invalid_grant":
            hint = "Connect the account again."
            return NotAuthorized(words, code="grant_refused", hint=hint, platform_code=error, http_status=status)
        if status == 429:
            return RateLimited(words, after=retry_after(response), platform_code=error, http_status=status)
        if status >= 500 or status == 408 or 300 <= status < 400:
            return OutcomeUnknown(words, platform_code=error, http_status=status)
        hint = "Look at the app's credentials, and at what is set for it on the platform."
        return Rejected(words, code="app_refused", hint=hint, platform_code=error, http_status=status)


def _plain(headers: httpx.Headers) -> list[tuple[str, str]]:
    """The headers of an answer whose body was unpacked already."""
    return [(name, value) for name, value in headers.items() if name not in ("content-encoding", "content-length")]


def _told(response: httpx.Response, secrets: list[str]) -> tuple[str | None, str]:
    """The error code and the words of a refusal (RFC 6749 §5.2), or the platform's own of its usual fields."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        body = None
    told: dict[str, Any] = body if isinstance(body, dict) else {}
    error = told.get("error")
    code = error if isinstance(error, str) else None
    given = told.get("error_description") or told.get("message") or code
    shown = redacted(str(given), secrets)[:_SHOWN] if given else ""
    return code and code[:100], shown or f"The platform's token endpoint answered {response.status_code}."


def _read(response: httpx.Response) -> Tokens:
    """The tokens of an answer (RFC 6749 §5.1). Raises `OutcomeUnknown` where they cannot be read."""
    try:
        body = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, RecursionError):
        body = None
    given: dict[str, Any] = body if isinstance(body, dict) else {}
    access = given.get("access_token")
    if not isinstance(access, str) or not _usable(access):
        raise OutcomeUnknown("The platform's token endpoint answered without a token.")
    refresh = given.get("refresh_token")
    return Tokens(
        access_token=access,
        refresh_token=refresh if isinstance(refresh, str) and _usable(refresh) else None,
        expires_in=_seconds(given.get("expires_in")),
        refresh_expires_in=_seconds(given.get("refresh_token_expires_in")) or _seconds_until(given, response),
        scopes=_scopes(given.get("scope")),
    )


def _usable(token: str) -> bool:
    """Whether a token can be put into a header, and is not absurdly long."""
    return re.fullmatch(r"[\x21-\x7e]{1,16384}", token) is not None


def _seconds(value: object) -> float | None:
    """A lifetime: some platforms write the number as a string, and 0 or less is no information."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) else 0.0
    except ValueError:
        return None
    return min(seconds, _FOREVER) if seconds > 0 else None


def _seconds_until(given: Mapping[str, Any], response: httpx.Response) -> float | None:
    """The life of a refresh token of which only the end is told, in unix seconds."""
    ends = given.get("refresh_token_expires_at")
    try:
        moment = datetime.fromtimestamp(ends, UTC) if isinstance(ends, int | float) else None
    except (OverflowError, OSError, ValueError):
        return None
    return _seconds(seconds_until(moment, response)) if moment else None


def _scopes(value: object) -> tuple[str, ...] | None:
    """What was granted: separated by spaces (RFC 6749 §3.3) or, as some do, by commas."""
    return tuple(filter(None, re.split(r"[\s,]+", value))) if isinstance(value, str) else None
