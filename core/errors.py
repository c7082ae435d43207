"""Every error of the program in one tree; what happens next hangs on the class, never on the words."""

from datetime import timedelta

from core.findings import Report


class FingerpostError(Exception):
    """The root. `code` is stable and documented; the message is for a person and says what to do next."""

    code = "internal"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code


class Misconfigured(FingerpostError):
    """A setting or its surroundings are wrong: refuse to start, and name the setting."""

    code = "misconfigured"


class InvalidPost(FingerpostError):
    """The author has to mend the request; `report` holds every finding. HTTP 400."""

    code = "invalid_post"

    def __init__(self, report: Report) -> None:
        count = len(report.errors)
        super().__init__(f"The request has {count} {'fault' if count == 1 else 'faults'}; each is in `issues`.")
        self.report = report


class InvalidUpload(FingerpostError):
    """The file cannot be taken; the message says what would be. HTTP 400."""

    code = "invalid_upload"


class RefusedUrl(FingerpostError):
    """An outbound URL that a client gave us leads where we do not go. HTTP 400."""

    code = "url_refused"


class NotFound(FingerpostError):
    """No such thing, or it belongs to a stranger: the two are never told apart. HTTP 404."""

    code = "not_found"


class Conflict(FingerpostError):
    """The thing is not in a state that allows this; the message says why. HTTP 409."""

    code = "conflict"


class PreconditionFailed(FingerpostError):
    """The thing is no longer as the caller saw it (RFC 9110 §13.1.1). HTTP 412."""

    code = "precondition_failed"


class KeyReused(FingerpostError):
    """An idempotency key came again with another request. HTTP 422."""

    code = "idempotency_key_reused"


class NotAuthenticated(FingerpostError):
    """No usable API key came with the request. HTTP 401."""

    code = "not_authenticated"


class Forbidden(FingerpostError):
    """The API key is known, and is not allowed this; the message says what it lacks. HTTP 403."""

    code = "forbidden"


class NotOffered(FingerpostError):
    """bundle.social has this, and it has no meaning here; the message says why. HTTP 501."""

    code = "not_offered"


class NotSupported(FingerpostError):
    """The platform cannot do it, or its adapter does not; the message says what. HTTP 501."""

    code = "not_supported"


class TooManyRequests(FingerpostError):
    """A caller has used up what it may ask of us; come back in `after` seconds. HTTP 429 with Retry-After."""

    code = "too_many_requests"

    def __init__(self, message: str, *, after: float) -> None:
        super().__init__(message)
        self.after = after


class Unready(FingerpostError):
    """A server that we need is away for the moment. HTTP 503 with Retry-After."""

    code = "unready"


class PublishError(FingerpostError):
    """A publish did not go through.

    `code` is ours and stable, `hint` tells the author what to do, `platform_code` and `http_status` are the
    platform's own words on it where there were any.
    """

    code = "publish_failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str = "",
        platform_code: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message, code=code)
        self.hint = hint
        self.platform_code = platform_code
        self.http_status = http_status


class Rejected(PublishError):
    """The platform said no for good: give up; the hint says what to change."""

    code = "rejected"


class NotAuthorized(PublishError):
    """The account's authorisation is not accepted: it has to be refreshed or connected again."""

    code = "not_authorized"


class RateLimited(PublishError):
    """A quota is used up; come back after `after`. Costs no attempt."""

    code = "rate_limited"

    def __init__(
        self,
        message: str,
        *,
        after: timedelta,
        code: str | None = None,
        hint: str = "",
        platform_code: str | None = None,
        http_status: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint, platform_code=platform_code, http_status=http_status)
        self.after = after


class Unavailable(PublishError):
    """The platform could not be reached or is in trouble, and nothing was made: back off. Costs an attempt."""

    code = "platform_unavailable"


class OutcomeUnknown(PublishError):
    """The platform may or may not have carried the create out: look before anything is sent again."""

    code = "outcome_unknown"


class BrokenAdapter(FingerpostError):
    """An adapter did what the contract forbids, or raised what nobody classified: a bug, not the author's fault."""

    code = "broken_adapter"
