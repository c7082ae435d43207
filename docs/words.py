"""What the code does not say of its states and codes: what each means to a person, and what to do about it."""

from typing import NamedTuple, TypedDict

from core.ledger.states import State


class StateWords(TypedDict):
    """A state in words, and the status of a post all of whose deliveries are in it."""

    means: str
    client: str


STATES: dict[State, StateWords] = {
    State.SCHEDULED: {"means": "Waits for its date.", "client": "SCHEDULED"},
    State.QUEUED: {"means": "Is due, and waits for a worker.", "client": "PROCESSING"},
    State.PUBLISHING: {"means": "Is in a worker's hands, under a lease.", "client": "PROCESSING"},
    State.PUBLISHED: {"means": "Is live, under the platform's id.", "client": "POSTED"},
    State.DEFERRED: {
        "means": "Waits for a quota, for a platform in an outage, or for its account; costs no attempt.",
        "client": "RETRYING",
    },
    State.RETRYING: {
        "means": "Failed before anything was made, and waits for its next attempt, of five.",
        "client": "RETRYING",
    },
    State.PROCESSING: {"means": "The platform has it and is still at work.", "client": "PROCESSING"},
    State.UNCONFIRMED: {
        "means": "Nobody knows whether it went out; the platform is read before anything is sent again.",
        "client": "RETRYING",
    },
    State.NEEDS_REVIEW: {
        "means": "Nobody knows whether it went out, and only a person can find out.",
        "client": "PROCESSING",
    },
    State.FAILED: {"means": "Did not go out, and is not tried again.", "client": "ERROR"},
    State.CANCELLED: {"means": "Was called off before it went out.", "client": "DELETED"},
}


class Words(NamedTuple):
    """A code in words: what it means, and what to do."""

    means: str
    do: str


class Group(NamedTuple):
    """Codes that are met in the same place."""

    title: str
    where: str
    codes: dict[str, Words]


ANSWERS = Group(
    "Answers of the API",
    "`code` of a problem document (RFC 9457); `issues` beside it holds every finding, `warnings` those that stop "
    "nothing. `message` and `statusCode` are there for clients of bundle.social. A status that is not in this table "
    "bears its own name, such as `bad_request`. What a platform said to a call that was made for you bears a code of "
    "deliveries or refusals, below: 422 where it said no, 404 where there is no such thing, 409 where it does not let "
    "the account in, 429 with `Retry-After` where its quota is used up, 503 where it is away and nothing was "
    "changed, and 502 where nobody knows what became of it; `hint`, `platformCode` and `platformStatus` come with it.",
    {
        "invalid_post": Words("The post has faults.", "Mend what `issues` lists, all of it, and send it again."),
        "invalid_request": Words("The body is not what this address takes.", "Mend what `issues` lists."),
        "invalid_query": Words("The query of the URL has faults.", "Mend what `issues` lists."),
        "invalid_upload": Words("The file cannot be taken.", "See the codes of uploads below."),
        "url_refused": Words(
            "A URL leads where outbound calls do not go: a private address, an odd port, no http.",
            "Give a public URL; an operator opens private ones by `FINGERPOST_ALLOW_URLS`.",
        ),
        "not_authenticated": Words(
            "There is no API key in the request, or it is unknown, expired or revoked (bundle.social says 403 to a bad "
            "key).",
            "Send it as `x-api-key`, `x-access-key` or `Authorization: Bearer`.",
        ),
        "forbidden": Words(
            "The API key is known, and lacks a scope, or is for one team or some accounts only.",
            "Use a key that allows it; the message names what is lacking.",
        ),
        "not_found": Words("There is no such thing, or it is not yours.", "Look at the id, and at whose key it is."),
        "method_not_allowed": Words(
            "The address does not know the method.", "The header `allow` lists those it knows."
        ),
        "conflict": Words("The thing is not in a state that allows this.", "The message says why; look, and decide."),
        "reference_key_taken": Words(
            "Another post of the team has this reference key.", "Read that post by its key, or take another key."
        ),
        "not_editable": Words(
            "Something of the post has gone out, is under way, or has ended.",
            "Retry or delete it, or create a new one; the message names the delivery.",
        ),
        "in_review": Words("The post waits for approval.", "Approve it, or take it back by the status `DRAFT`."),
        "not_in_review": Words(
            "The post does not wait for approval.", "Read its `status`; only `REVIEW` is approved or rejected."
        ),
        "precondition_failed": Words("The post is no longer as `If-Match` has it.", "Read it again, and decide anew."),
        "bulk_refused": Words(
            "Posts that were to be stored together were not, because of what `issues` lists.",
            "Take those out, or send them with `mode=partial`.",
        ),
        "too_many_endpoints": Words(
            "The team, or the organization beside its teams, has as many webhook endpoints as it may.",
            "Delete one, or raise `FINGERPOST_WEBHOOK_ENDPOINTS`.",
        ),
        "idempotency_key_under_way": Words(
            "A request with this `Idempotency-Key` is under way.", "Send it again in a moment to get its answer."
        ),
        "too_many_requests": Words(
            "The API key has made all the calls that it may make in a minute.", "Come back after `Retry-After` seconds."
        ),
        "not_supported": Words(
            "The platform cannot do it, or its adapter does not.",
            "`GET /api/v1/platforms` tells what it can: `abilities`.",
        ),
        "change_under_way": Words(
            "The same channel or published post is being changed by somebody else.", "Send it again in a moment."
        ),
        "published_removed": Words(
            "What was live is no longer on its platform.", "Nothing; `removedAt` of the delivery says since when."
        ),
        "not_offered": Words("bundle.social has it, and it has no meaning here.", "Do without; the message says why."),
        "idempotency_key_reused": Words(
            "The `Idempotency-Key` came before, with another request.", "Take a new key for a new request."
        ),
        "upload_in_use": Words("A post that has not gone out yet uses the upload.", "Delete that post first."),
        "media_process_away": Words(
            "The process that looks at files does not start; the log of the machine says why.",
            "Send it again in a moment.",
        ),
        "storage_away": Words("The storage of uploads does not answer.", "Send it again in a moment."),
        "public_url_missing": Words(
            "The server does not know the address at which browsers reach it.",
            "Its operator sets `FINGERPOST_PUBLIC_URL`.",
        ),
        "body_too_large": Words("The body is larger than the address takes.", "Send less; upload files first."),
        "internal": Words("A fault of ours.", "Find the request's `x-request-id` in the log, and tell us."),
        "unready": Words("A server that we need is away.", "Send it again after the seconds in `retry-after`."),
        "post_unknown": Words(
            "The database went away during the commit: the post may be stored.",
            "Read the post by the `id` in the answer before you send it again.",
        ),
        "post_not_stored": Words("The database went away, and the post was not stored.", "Send it again."),
    },
)

FINDINGS = Group(
    "Findings",
    "`code` of an entry of `issues` or `warnings`; `path` says where, `message` what to do. For a `DRAFT` only faults "
    "of form stop it; what is merely unfinished is a warning.",
    {
        "malformed_json": Words("The body cannot be read as JSON.", "Mend it; the message says where it breaks."),
        "malformed_form": Words("The form cannot be read.", "Send `multipart/form-data` with a `file`."),
        "too_many_values": Words("The body holds more than is read.", "Send less in one request."),
        "missing_field": Words("A field is required.", "Add it."),
        "team_fixed": Words("A post cannot go to another team.", "Leave `teamId` out, or create the post anew there."),
        "unknown_field": Words("Nobody knows the field.", "Take it out, or use the name that the message offers."),
        "wrong_type": Words("The value is of another type.", "Send what the message names."),
        "null_character": Words("A text contains U+0000.", "Take it out."),
        "not_a_choice": Words("The value is none of those allowed.", "Take one of those listed."),
        "bad_format": Words("The text has not the form that the field takes.", "Write it as the message says."),
        "not_editable": Words(
            "The field cannot be changed once it is published.", "Leave it out, or delete it and post it again."
        ),
        "too_short": Words("The text is too short.", "Lengthen it."),
        "too_long": Words("The text is too long.", "Shorten it by as much as the message says."),
        "too_small": Words("The number is too small.", "Raise it."),
        "too_large": Words("The number is too large.", "Lower it."),
        "too_few": Words("The list has too few entries.", "Add some."),
        "too_many": Words("The list has too many entries.", "Take some out."),
        "duplicate": Words("The same thing is given twice.", "Take one out."),
        "date_invalid": Words("This is no date.", "Write ISO 8601 with an offset: `2026-05-14T10:00:00Z`."),
        "date_without_offset": Words("The offset is missing.", "Add `Z`, or one such as `+02:00`."),
        "date_past": Words("The date is over.", "Give one that is still to come."),
        "date_unknown_zone": Words("Names of zones are not understood.", "Give an offset instead."),
        "unknown_team": Words("The team is unknown.", "Use the id of a team of your own."),
        "unknown_platform": Words("The platform is not served here.", "Take it out, or install its adapter."),
        "block_unused": Words("A block for a platform that is not asked for.", "Add the platform, or drop the block."),
        "no_account": Words("The team has no account on the platform.", "Connect one."),
        "account_ambiguous": Words("The team has several accounts there.", "Name one in `socialAccountIds`."),
        "unknown_account": Words("There is no such account in the team.", "Use one of those listed."),
        "unknown_upload": Words("There is no such upload in the team.", "Upload the file first, or mend the id."),
        "unknown_event_type": Words("There is no such event.", "Use one of those listed."),
        "field_unused": Words("The field is known, and has no effect.", "Nothing; or take it out."),
        "shortened": Words(
            "The shared text was cut to what the platform takes, as `adapt` asks for.",
            "Nothing, or give the platform a text of its own; the message shows what is sent.",
        ),
        "filled_in": Words("A field was filled from the shared part.", "Nothing, if that is what you mean."),
        "media_missing": Words("The platform needs a file.", "Name an upload, or give a public URL."),
        "media_too_many": Words("There are more files than fit.", "Take some out."),
        "media_kind": Words("The platform does not take this kind of file.", "Send one of the kinds named."),
        "media_type": Words("The platform does not take this type of file.", "Convert it to one of those named."),
        "media_too_large": Words("The file has too many bytes.", "Make it smaller."),
        "media_too_small": Words("The picture has too few pixels.", "Send a larger one."),
        "media_small": Words("The picture will look coarse.", "Send a larger one, if there is one."),
        "media_ratio": Words("The picture or film has the wrong shape.", "Crop it: only you can decide how."),
        "media_shape": Words("The picture has not the shape that is advised.", "Crop it, if you like."),
        "media_too_many_pixels": Words("The picture or film has too many pixels.", "Scale it down."),
        "media_mixed": Words("Files of different kinds do not go together.", "Leave those of one kind."),
        "media_animated": Words("An animation would lose its motion.", "Send a still, or the animation as a film."),
        "media_too_brief": Words("The film is too short.", "Send a longer one."),
        "media_too_lengthy": Words("The film is too long.", "Cut it."),
        "media_not_public": Words(
            "The platform fetches media by itself, and the file has no public address.",
            "Give the file's public URL in `mediaUrls`, or let the operator set `FINGERPOST_PUBLIC_URL`.",
        ),
        "media_codec": Words("The film is coded in a way that the platform does not take.", "Export it again."),
        "media_location": Words("The film tells where it was made.", "Export it without, if that shall not be told."),
        "media_fitted": Words(
            "The picture is changed so that it fits; the message says how.",
            'Nothing; or set `mediaFit` to `"off"`, and mend it yourself.',
        ),
    },
)

UPLOADS = Group(
    "Uploads",
    "`code` of the answer to an upload.",
    {
        "empty_file": Words("The file is empty.", "Send it again."),
        "file_too_large": Words("The file is too large.", "Make it smaller."),
        "file_type_not_supported": Words("This is no picture or film that can be read.", "The message lists them."),
        "video_not_supported": Words("Films of this kind are not taken.", "Save it as MP4."),
        "video_without_picture": Words("The film has sound at most.", "Send one with pictures."),
        "too_many_pixels": Words("The picture or film has too many pixels.", "Make it smaller."),
        "broken_image": Words("The image is damaged.", "Export it again."),
        "broken_video": Words("The film is damaged, or coded in a way that nobody reads.", "Export it as MP4."),
        "file_cut_off": Words("The file ends before its end.", "Send it again, whole."),
        "two_kinds_of_file": Words(
            "The file is a picture or film and at the same time a page, a script, a document or an archive.",
            "Save it anew with a program for pictures or films.",
        ),
        "media_too_costly": Words("The file took more memory or time than any sound one.", "Export it again."),
        "media_unreadable": Words("The file cannot be read.", "Export it again."),
        "upload_quota_reached": Words("The team's uploads take all the room there is.", "Delete unused ones."),
        "nothing_was_put": Words("There is no file at the path yet.", "PUT it to the `url` of `init`, then finalize."),
        "size_differs": Words("Another number of bytes came than was announced.", "PUT the file again, whole."),
        "media_failed": Words("The platform could make nothing of the video.", "Export it anew, and send it again."),
        "upload_refused": Words("The platform did not take the upload.", "It is uploaded anew by itself."),
        "download_failed": Words("The URL could not be fetched.", "Open it without signing in; mend it."),
        "download_timed_out": Words("The URL took too long.", "Try again, or upload the file itself."),
        "too_many_redirects": Words("The URL leads on and on.", "Give the URL at the end of it."),
    },
)

DELIVERIES = Group(
    "Deliveries",
    "`error.code` of a delivery, and `errorsVerbose.<PLATFORM>.code` of its post. A platform's own refusals are in the "
    "last table.",
    {
        "publish_failed": Words("The publish did not go through.", "See the message."),
        "rejected": Words("The platform said no.", "Change the post as the hint says."),
        "not_authorized": Words("The platform no longer accepts the account's authorisation.", "Connect it again."),
        "account_needs_reauth": Words(
            "The account's authorisation is over, so the post waits, as long as it may.",
            "Connect the account again; the post goes out by itself then.",
        ),
        "token_refreshing": Words("The account's token is being renewed.", "Nothing: it goes out when that is done."),
        "account_disconnected": Words(
            "The account was disconnected before the post went out.",
            "Connect it again, and `POST /api/v1/post/reconnect-social-account`.",
        ),
        "rate_limited": Words("A quota of the platform is used up.", "Nothing: it goes out when the quota opens."),
        "platform_unavailable": Words(
            "The platform is in trouble, and nothing was made.", "Nothing: it is tried five times, ever more slowly."
        ),
        "platform_down": Words("The platform does not answer at present.", "Nothing: it goes out when that is over."),
        "outcome_unknown": Words(
            "Nobody knows whether the platform made it.",
            "Nothing while it is `unconfirmed`: it is looked up. When it is `needs_review`, look on the platform; "
            "do not post it again before.",
        ),
        "not_made": Words(
            "The platform was read until it was certain: nothing was made.", "Nothing: it is tried again."
        ),
        "id_taken": Words("The platform's id belongs to another delivery.", "Look on the platform."),
        "worker_lost": Words("A worker ended before anything was sent.", "Nothing: it is tried again."),
        "quota_exhausted": Words(
            "The platform's allowance is used up for now; nothing was sent.",
            "Nothing: it goes out at its turn, when there is room again. The rate meter of the account shows when.",
        ),
        "redis_away": Words("Redis does not answer.", "Ask again in a moment; publishing goes on with less."),
        "lease_lost": Words("A worker held the delivery for too long; nothing was sent.", "Nothing: another has it."),
        "cannot_fit": Words("A picture cannot be made small enough.", "Send a smaller one."),
        "too_late": Words(
            "It could not go out within `maxDelay` of its date (or `FINGERPOST_MAX_DELAY`, where the post has none).",
            "Decide whether it still makes sense.",
        ),
        "platform_missing": Words("The adapter is no longer installed.", "Install it, and try again."),
        "resolved_as_failed": Words("A person looked, and it is not on the platform.", "Nothing."),
        "broken_adapter": Words("A bug in an adapter.", "Tell its author; the log has the traceback."),
    },
)

CONNECTING = Group(
    "Connecting accounts",
    "`error` in the query of a `redirectUrl`, with the words of the page in `errorDescription`.",
    {
        "sign_in_failed": Words("The account was not connected.", "Try again."),
        "access_denied": Words("The person did not give access on the platform.", "Ask again, if it was a mistake."),
        "scope_missing": Words("The platform gave less than publishing needs.", "Connect again, and allow all of it."),
        "other_browser": Words("The sign-in came back in another browser.", "Finish it where it was begun."),
        "sign_in_unknown": Words("The sign-in is not known here, or another platform's.", "Begin anew."),
        "sign_in_used": Words("The sign-in was finished before.", "Nothing, or begin anew."),
        "sign_in_expired": Words("The sign-in took more than a quarter of an hour.", "Begin anew."),
        "link_unknown": Words("There is no such link, or it is not for that platform.", "Make a new one."),
        "link_used": Words("The link has connected an account, and is good for no other.", "Make a new one."),
        "link_expired": Words("The link is over.", "Make a new one."),
        "too_many_accounts": Words("The team has as many accounts as the link allows.", "Disconnect one."),
        "field_missing": Words("A field of the form is empty or cannot be used.", "Fill it in."),
        "app_missing": Words(
            "This server, or the organization, has no app at the platform.",
            "Set `FINGERPOST_<PLATFORM>_CLIENT_ID` and `_CLIENT_SECRET`, or `PUT /api/v1/app/{type}`.",
        ),
        "platform_refused": Words("The platform did not carry out the sign-in.", "Try again; look at the log."),
    },
)

TOKENS = Group(
    "Tokens",
    "`error.code` of a social account that is not `live`, and of the event that tells of it.",
    {
        "refresh_lost": Words(
            "A new token was made and lost: a worker died between the platform's answer and its record.",
            "Connect the account again before its token ends.",
        ),
        "token_ending": Words(
            "The token ends soon and could not be renewed.", "Connect the account again before that."
        ),
        "grant_refused": Words("The platform says that it was granted nothing (any more).", "Connect it again."),
        "app_refused": Words("The platform finds fault with the app.", "Look at the app's id and secret."),
    },
)

INWARD = Group(
    "On the command line and in logs",
    "Never in an answer. An error of ours ends a command with one line and exit code 1.",
    {
        "misconfigured": Words("A setting or its surroundings are wrong.", "Do as the line says."),
        "demo_failed": Words("The demonstration did not come to its end.", "Read the line, and the log it names."),
        "broken_seal": Words("A stored secret was altered or moved.", "Restore the row; look for who changed it."),
        "not_listening": Words("`fingerpost listen` was refused by the API.", "Do as the line says."),
        "commit_unknown": Words("The connection broke during a commit.", "Nothing: it is looked up."),
        "database_lost": Words("The connection to PostgreSQL broke.", "Look to the database."),
    },
)

GROUPS = (ANSWERS, FINDINGS, UPLOADS, DELIVERIES, CONNECTING, TOKENS, INWARD)
