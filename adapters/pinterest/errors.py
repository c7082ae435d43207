"""What Pinterest's refusals mean: by code and message, never by HTTP status alone.

The codes and messages are those of Pinterest's OpenAPI descriptions and of answers seen live. 401 is also used for
missing scopes and unapproved apps, and 429 also for spam, so the status says little.
"""

import re
from datetime import timedelta

import httpx
import msgspec

from fingerpost import (
    NotAuthorized,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    Rejected,
    retry_after,
)


class Refusal(msgspec.Struct):
    """The body of an error answer."""

    code: int | None = None
    message: str = ""


class Meaning(msgspec.Struct, frozen=True):
    """One row of the table: which refusals it is about, and our code and hint for them."""

    status: int
    codes: tuple[int, ...]
    words: str
    kind: type[PublishError]
    code: str
    hint: str


# The first row that fits is taken. `words` is a regular expression; empty codes fit every code.
MEANINGS = (
    Meaning(401, (2,), "", NotAuthorized, "token_refused", "Connect the Pinterest account again."),
    Meaning(401, (3,), r"Missing: \[", Rejected, "scope_missing", "Connect the account again and grant that scope."),
    Meaning(403, (3,), r"Missing: \[", Rejected, "scope_missing", "Connect the account again and grant that scope."),
    Meaning(401, (3, 7), "", Rejected, "app_not_approved", "Ask Pinterest to approve the app for this."),
    Meaning(
        403, (29,), "Trial access", Rejected, "trial_access",
        "Use the host api-sandbox.pinterest.com, or ask Pinterest for Standard access.",
    ),
    Meaning(403, (29,), "", Rejected, "not_permitted", "Use a board that this account may write to."),
    Meaning(403, (233,), "", Rejected, "image_too_small", "Send a larger picture."),
    Meaning(403, (235,), "", Rejected, "image_broken", "Send the picture again, saved anew as JPEG or PNG."),
    Meaning(404, (2031,), "", Rejected, "section_not_found", "Choose a section that the board has."),
    Meaning(404, (), "(?i)board", Rejected, "board_not_found", "Choose a board that this account has."),
    Meaning(404, (50,), "", Rejected, "pin_not_found", "The Pin is gone."),
    Meaning(429, (9,), "", Rejected, "spam_blocked", "Pinterest blocks this link; use another."),
    Meaning(429, (), "(?i)spam", Rejected, "spam_blocked", "Pinterest blocks this link; use another."),
    Meaning(
        400, (2787,), "", OutcomeUnknown, "outcome_unknown",
        "Pinterest may have made the Pin all the same; it is looked up before anything is sent again.",
    ),
    Meaning(
        400, (), "(?i)could not fetch the image|unable to reach the url", Rejected, "image_unreachable",
        "Give a URL that anyone can load without signing in, or upload the picture.",
    ),
    Meaning(
        400, (), "(?i)format of the image is not supported", Rejected, "image_format", "Send a JPEG or a PNG.",
    ),
    Meaning(400, (1,), "(?i)invalid URL", Rejected, "link_invalid", "Mend the link."),
)  # fmt: skip


def classify(response: httpx.Response) -> PublishError | None:
    """The error that an answer of status 400 and up stands for; None where only its status speaks."""
    try:
        refusal = msgspec.json.decode(response.content, type=Refusal)
    except msgspec.DecodeError:
        return None
    status, code = response.status_code, None if refusal.code is None else str(refusal.code)
    for meaning in MEANINGS:
        fits = meaning.status == status and (not meaning.codes or refusal.code in meaning.codes)
        if fits and re.search(meaning.words, refusal.message):
            return meaning.kind(
                refusal.message, code=meaning.code, hint=meaning.hint, platform_code=code, http_status=status
            )
    if status == 429:
        return RateLimited(refusal.message, after=_reset(response), platform_code=code, http_status=status)
    if 400 <= status < 500 and status not in (401, 408) and refusal.message:
        hint = "Change the post as Pinterest says."
        return Rejected(refusal.message, hint=hint, platform_code=code, http_status=status)
    return None


def _reset(response: httpx.Response) -> timedelta:
    """When the quota opens: `x-ratelimit-reset` is a number of seconds."""
    text = response.headers.get("x-ratelimit-reset", "")
    seconds = re.match(r"[0-9]{1,6}", text)
    return timedelta(seconds=int(seconds[0])) if seconds else retry_after(response)
