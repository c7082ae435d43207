"""What Pinterest's refusals mean: by code and message, never by HTTP status alone.

The codes and messages are those of Pinterest's OpenAPI descriptions and of answers seen live. 401 is also used for
missing scopes and unapproved apps, and 429 also for spam, so the status says little.
"""

import html
import re

import httpx
import msgspec

from fingerpost import (
    NotAuthorized,
    OutcomeUnknown,
    PublishError,
    RateLimited,
    Refusal,
    Rejected,
    Unavailable,
    refused,
)

GRANT_REFUSED = 283
"""The code of a token endpoint that does not take a code or a refresh token (any more)."""


class Answer(msgspec.Struct):
    """The body of an error answer."""

    code: int | None = None
    message: str = ""


ASK = "Connect again, and grant what is missing; FINGERPOST_PINTEREST_SCOPES names what is asked for beside the usual."
"""What helps where a token lacks a scope; those of secret boards are not asked for by themselves."""

REFUSALS = (
    Refusal(401, (2,), "", NotAuthorized, "token_refused",
            "Connect the Pinterest account again. (Tokens of Pinterest's sandbox are good only there.)",
            "Authentication failed."),
    Refusal(401, (3,), r"Missing: \[", Rejected, "scope_missing", ASK,
            "Your token does not have sufficient permissions to perform this operation. Missing: ['boards:write']"),
    Refusal(403, (3,), r"Missing: \[", Rejected, "scope_missing", ASK,
            "Your token does not have sufficient permissions to perform this operation. Missing: ['boards:write']"),
    Refusal(401, (3,), "(?i)restricted feature", Rejected, "feature_restricted",
            "Pinterest opens this to some apps only: ask Pinterest for it, or do without.",
            "Your application does not have access to this restricted feature."),
    Refusal(401, (3,), "", Rejected, "app_not_approved",
            "Ask Pinterest to approve the app: it is refused, or its Trial access is pending.",
            "Your application consumer type is not supported, please contact support."),
    Refusal(401, (7,), "", Rejected, "not_permitted", "Use a board and Pins that this account may see.",
            "Not authorized to access board or Pin."),
    Refusal(401, (), "(?i)permission to edit that board", Rejected, "not_permitted",
            "Use a board that this account may write to.", "You don't have permission to edit that board."),
    Refusal(403, (29,), "Trial access", Rejected, "trial_access",
            "Use the host api-sandbox.pinterest.com, or ask Pinterest for Standard access.",
            "Apps with Trial access may not create Pins in production"),
    Refusal(403, (29,), "(?i)maximum number", Rejected, "account_full", "Delete some, or use another account.",
            "You have reached the maximum number of Pins."),
    Refusal(403, (29, 403), "", Rejected, "not_permitted", "Use a board and Pins of this account.",
            "You are not permitted to access that resource."),
    Refusal(403, (233,), "", Rejected, "image_too_small", "Send a larger picture.",
            "Your image is too small. Please choose a larger image and try again."),
    Refusal(403, (235,), "", Rejected, "image_broken", "Send the picture again, saved anew as JPEG or PNG.",
            "Sorry, this image is broken. Please pick a different image."),
    Refusal(404, (404,), "(?i)section", Rejected, "section_not_found", "Choose a section that the board has.",
            "Board section not found."),
    Refusal(404, (), "(?i)media upload", Rejected, "media_not_found",
            "The upload is gone: send the post again.", "Media upload not found"),
    Refusal(404, (2031,), "", Rejected, "section_not_found", "Choose a section that the board has.",
            "Sorry! We couldn't find this board section."),
    Refusal(404, (), "(?i)board", Rejected, "board_not_found", "Choose a board that this account has.",
            "Board not found."),
    Refusal(400, (400,), "(?i)board name is invalid or duplicated", Rejected, "board_name_taken",
            "Give it a name that no other board of the account has.", "The board name is invalid or duplicated."),
    Refusal(400, (400,), "(?i)board section", Rejected, "section_invalid", "Give it a name of 1 to 180 characters.",
            "Invalid board section parameters."),
    Refusal(400, (400,), "(?i)analytics parameters", Rejected, "figures_refused",
            "Ask again tomorrow: Pinterest tells figures of at most ninety days, and not of every Pin.",
            "Invalid pins analytics parameters."),
    Refusal(409, (), "(?i)exclusive access|conflict", Unavailable, "board_busy", "Try again in a moment.",
            "Could not get exclusive access to delete the board."),
    Refusal(404, (50, 404), "(?i)pin", Rejected, "pin_not_found", "The Pin is gone.", "Pin not found."),
    *(Refusal(status, (), "(?i)block.{0,60}combat spam", Rejected, "account_blocked",
              "Pinterest holds this account back for a while: wait some hours, and send Pins that differ more.",
              "You've hit a block (Pins) we have in place to combat spam.") for status in (400, 403, 429)),
    Refusal(429, (8,), "", RateLimited, "rate_limited",
            "Nothing: it goes out when Pinterest opens the quota, or when its other writes to the board are done.",
            "This request exceeded a rate limit."),
    Refusal(429, (9,), "", Rejected, "spam_blocked", "The link is blocked: use another, with no shortener.",
            "Sorry! We blocked this link because it may lead to spam."),
    Refusal(429, (), "(?i)spam", Rejected, "spam_blocked", "The link is blocked: use another, without shorteners.",
            "This link leads to spam."),
    Refusal(400, (2787,), "", OutcomeUnknown, "outcome_unknown",
            "Pinterest may have made the Pin all the same; it is looked up before anything is sent again.",
            "Sorry! Something went wrong on our end."),
    Refusal(400, (), "(?i)could not fetch the image|unable to reach the url", Rejected, "image_unreachable",
            "Give a URL that anyone can load without signing in, or upload the picture.",
            "Sorry we could not fetch the image."),
    Refusal(400, (), "(?i)format of the image is not supported", Rejected, "image_format", "Send a JPEG or a PNG.",
            "The format of the image is not supported"),
    Refusal(400, (), "(?i)cover_image_url or cover_image_content_type", Rejected, "cover_missing",
            "Put a picture beside the video, or give thumbnail or thumbnailOffset.",
            "Missing cover image: provide cover_image_url or cover_image_content_type and cover_image_data."),
    Refusal(400, (), "maxItems", Rejected, "media_too_many", "Send at most five pictures.",
            "Invalid request: 6 items break the constraint: maxItems=5"),
    Refusal(400, (), "(?i)doesn't allow you to save", Rejected, "site_refuses_pins",
            "That site does not want to be pinned: use another link or picture.",
            "Sorry! This site doesn't allow you to save Pins."),
    Refusal(400, (1,), r"does not match '\^", Rejected, "bad_id", "Give ids as Pinterest has them, in digits.",
            r"Invalid request: 'my-board' does not match '^\\d+$'"),
    Refusal(400, (1,), "(?i)invalid URL", Rejected, "link_invalid", "Mend the link.",
            "Whoops! It looks like you entered an invalid URL. Try creating a Pin again with a valid URL."),
)  # fmt: skip
"""The first row that fits is taken."""


def classify(response: httpx.Response) -> PublishError | None:
    """The error that an answer of status 400 and up stands for; None where only its status speaks."""
    try:
        refusal = msgspec.json.decode(response.content, type=Answer)
    except msgspec.DecodeError:
        return _of_upload(response)
    error = refused(REFUSALS, response, refusal.code, refusal.message)
    if isinstance(error, NotAuthorized) and refusal.code not in (None, 2):
        # Of all that is 401 only code 2 is about the token.
        hint, told = "Change the post as Pinterest says.", error.platform_code
        return Rejected(error.message, hint=hint, platform_code=told, http_status=error.http_status)
    return error


def _of_upload(response: httpx.Response) -> PublishError | None:
    """What the storage says that videos are uploaded to: it speaks XML (Amazon S3, "Error responses")."""
    text, status = response.text[:4000], response.status_code
    code = re.search(r"<Code>(\w+)</Code>", text)
    if code is None:
        return None
    words = re.search(r"<Message>([^<]*)</Message>", text)
    said = f"The upload of the video was refused ({code[1]}): {html.unescape(words[1]) if words else ''}"
    if code[1] == "EntityTooLarge":
        hint = "Export the video with a lower bit rate."
        return Rejected(said, code="media_too_large", hint=hint, platform_code=code[1], http_status=status)
    hint = "It is uploaded anew by itself. Where that never helps, look at this server's clock."
    return Unavailable(said, code="upload_refused", hint=hint, platform_code=code[1], http_status=status)


def classify_token(response: httpx.Response) -> PublishError | None:
    """What a refusal of `POST /v5/oauth/token` means; None where OAuth's own codes speak.

    401 with code 2 is about the app's credentials here, and not about the account.
    """
    try:
        refusal = msgspec.json.decode(response.content, type=Answer)
    except msgspec.DecodeError:
        return None
    if refusal.code == GRANT_REFUSED:
        words = refusal.message or "The authorization grant is invalid."
        hint = "Connect the Pinterest account again."
        code, status = str(refusal.code), response.status_code
        return NotAuthorized(words, code="grant_refused", hint=hint, platform_code=code, http_status=status)
    return None
