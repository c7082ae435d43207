"""The errors of the Pinterest API v5, with the codes and words that the live API uses."""

from collections.abc import Sequence
from http.client import responses
from typing import Any


class Refusal(Exception):
    """A call that is answered with an error. `more` are fields beside code and message."""

    def __init__(self, status: int, code: int, message: str, **more: Any) -> None:
        super().__init__(message)
        self.status = status
        self.body: dict[str, Any] = {"code": code, "message": message, **(more or {"status": "failure"})}


def unauthenticated() -> Refusal:
    """The token is missing, unknown or expired."""
    return Refusal(401, 2, "Authentication failed.")


def unscoped(missing: Sequence[str]) -> Refusal:
    """The token lacks the scopes `missing`; refreshing it would not help."""
    return Refusal(
        401,
        3,
        "Your token does not have sufficient permissions to perform this operation. Please ensure your token is "
        f"authorized with the correct set of scopes. Missing: {list(missing)!r}",
    )


def trial() -> Refusal:
    """An app with Trial access may not create Pins in production."""
    return Refusal(
        403,
        29,
        "Apps with Trial access may not create Pins in production https://api.pinterest.com - use API Sandbox "
        "https://api-sandbox.pinterest.com instead.",
    )


def forbidden() -> Refusal:
    """The thing exists, but belongs to someone else."""
    return Refusal(403, 29, "You are not permitted to access that resource.")


def over_limit() -> Refusal:
    """One call too many for a rate limit."""
    return Refusal(429, 8, "You have exceeded your rate limit. Try again later.")


def spam() -> Refusal:
    """The link is on Pinterest's list; sending it again makes matters worse."""
    return Refusal(
        429,
        9,
        "Sorry! We blocked this link because it may lead to spam.",
        details={"source_field": None},
    )


def invalid(reason: str) -> Refusal:
    """The request does not fit the schema; `reason` is worded as python-jsonschema words it."""
    return Refusal(400, 1, f"Invalid request: {reason}")


def invalid_link() -> Refusal:
    """The link of a Pin is no URL."""
    return Refusal(
        400,
        1,
        "Whoops! It looks like you entered an invalid URL. Try creating a Pin again with a valid URL.",
    )


def no_board_for_pin() -> Refusal:
    """The board named in a Pin is not there, or belongs to someone else."""
    return Refusal(404, 40, "Board not found.")


def no_board() -> Refusal:
    """The board in the path is not there, or belongs to someone else."""
    return Refusal(404, 404, "Board not found.")


def no_section() -> Refusal:
    """The section named in a Pin is not on its board."""
    return Refusal(404, 2031, "Sorry! We couldn't find this board section.")


def gone_section() -> Refusal:
    """The section in the path is not on its board."""
    return Refusal(404, 404, "Board section not found.")


def restricted() -> Refusal:
    """A feature in beta, which the app has not been granted."""
    return Refusal(401, 3, "Your application does not have access to this restricted feature.")


def bad_figures(whose: str) -> Refusal:
    """Analytics were asked for in a way that does not exist, or for a time that is not kept."""
    return Refusal(400, 400, f"Invalid {whose} analytics parameters.")


def not_in_sandbox() -> Refusal:
    """Pinterest's own sandbox tells no analytics."""
    return Refusal(403, 29, "Analytics are not available in the sandbox.")


def no_pin() -> Refusal:
    """There is no such Pin."""
    return Refusal(404, 50, "Pin not found.")


def bad_board_name() -> Refusal:
    """A board needs a name that its owner has not used."""
    return Refusal(400, 400, "The board name is invalid or duplicated.")


def bad_section() -> Refusal:
    """A section needs a name of 1 to 180 characters."""
    return Refusal(400, 400, "Invalid board section parameters.")


def too_small() -> Refusal:
    """The picture has too few pixels."""
    return Refusal(403, 233, "Your image is too small. Please choose a larger image and try again.")


def broken() -> Refusal:
    """The bytes are no picture."""
    return Refusal(403, 235, "Sorry, this image is broken. Please pick a different image.")


def unsupported_format() -> Refusal:
    """A picture, but neither JPEG nor PNG."""
    return Refusal(400, 1, "The format of the image is not supported")


def unfetchable() -> Refusal:
    """The picture's URL gave no picture in time."""
    return Refusal(400, 1, "Sorry we could not fetch the image.")


def no_media() -> Refusal:
    """The video is not registered, or by someone else."""
    return Refusal(404, 404, "Media upload not found")


def not_ready(status: str) -> Refusal:
    """The video is still worked at, or no good; Pinterest's own words for this are not known."""
    return Refusal(400, 1, f"The media upload cannot be used: its status is {status!r}.")


def no_cover() -> Refusal:
    """A video needs a cover, though the schema does not say so."""
    return Refusal(
        400,
        1,
        "Missing cover image: provide cover_image_url or cover_image_content_type and cover_image_data, or "
        "cover_image_key_frame_time.",
    )


def too_many(things: str) -> Refusal:
    """The account holds as many of them as one may; Pinterest gives the number, but no code or words."""
    return Refusal(403, 29, f"You have reached the maximum number of {things}.")


def no_video() -> Refusal:
    """Pinterest's own sandbox does not make video Pins either."""
    return Refusal(400, 1, "Video Pins cannot be created in the sandbox.")


def plain(status: int) -> dict[str, Any]:
    """The body of an error of which only the status is known."""
    known = {401: unauthenticated, 403: forbidden, 429: over_limit}
    if status in known:
        return known[status]().body
    if status >= 500:
        return Refusal(status, status, "Sorry! Something went wrong on our end.").body
    return Refusal(status, status, responses.get(status, f"HTTP {status}")).body
