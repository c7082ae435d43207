"""Refusals: what a platform's answers of status 400 and up mean, as rows of a declaration."""

import re
from collections.abc import Iterable

import httpx
import msgspec

from core.answers import by_status, retry_after
from core.errors import PublishError, RateLimited, Unavailable


class Refusal(msgspec.Struct, frozen=True):
    """One row: which refusals it is about, and the class, our code and our hint for them.

    The status has to be this one, the platform's code one of `codes` where there are any, and `words`, a regular
    expression, found in the platform's message. `example` is such a message word for word.
    """

    status: int
    codes: tuple[int | str, ...]
    words: str
    kind: type[PublishError]
    code: str
    hint: str
    example: str = ""

    def fits(self, status: int, code: int | str | None, words: str) -> bool:
        """Whether a refusal is what this row is about."""
        return self.status == status and (not self.codes or code in self.codes) and bool(re.search(self.words, words))


def refused(
    refusals: Iterable[Refusal], response: httpx.Response, code: int | str | None, words: str
) -> PublishError | None:
    """The error of the first row that an answer with the platform's `code` and `words` fits, else by its status.

    None where it was the platform that failed: whether that leaves open what came of a call is the session's to say.
    """
    told = None if code is None else str(code)
    for row in refusals:
        if row.fits(response.status_code, code, words):
            said, status = words or f"The platform answered {response.status_code}.", response.status_code
            if issubclass(row.kind, RateLimited):
                after = retry_after(response)
                return row.kind(said, after=after, code=row.code, hint=row.hint, platform_code=told, http_status=status)
            return row.kind(said, code=row.code, hint=row.hint, platform_code=told, http_status=status)
    error = by_status(response, words, told)
    return None if isinstance(error, Unavailable) else error


def told_by(response: httpx.Response, code: str, words: str) -> tuple[int | str | None, str]:
    """The platform's code and words in the JSON of an error, by the names of their fields; None and '' without them."""
    try:
        answer = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None, ""
    said = answer if isinstance(answer, dict) else {}
    found, message = said.get(code), said.get(words)
    return found if isinstance(found, int | str) else None, message if isinstance(message, str) else ""
