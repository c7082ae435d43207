"""What Bluesky's refusals mean."""

from fingerpost import NotAuthorized, Refusal, Rejected

AGAIN = "Connect the Bluesky account again, with a new app password."

REFUSALS = (
    Refusal(400, ("ExpiredToken", "InvalidToken"), "", NotAuthorized, "token_refused", AGAIN, "Token has expired"),
    Refusal(401, ("AuthFactorTokenRequired",), "", Rejected, "app_password_needed",
            "Make an app password in the settings; the account's own asks for a code.", "A sign in code has been sent"),
    Refusal(401, (), "", NotAuthorized, "token_refused", AGAIN, "Authentication Required"),
    Refusal(400, ("AccountTakedown", "AccountDeactivated", "RepoDeactivated", "RepoTakendown"), "", NotAuthorized,
            "account_suspended", "Look at the account on Bluesky, and connect it again.", "Account is taken down"),
    Refusal(400, ("BlobNotFound",), "", Rejected, "blob_gone",
            "Bluesky dropped the picture before the post came; send the post again.", "Could not find blob"),
    Refusal(400, ("BlobTooLarge",), "", Rejected, "picture_too_large", "Send a smaller picture.", "Too large"),
    Refusal(413, (), "", Rejected, "picture_too_large", "Send a smaller picture.", "request entity too large"),
    Refusal(400, ("RecordNotFound", "RepoNotFound"), "", Rejected, "post_not_found",
            "The post that is answered or quoted is gone; choose another.", "Could not locate record"),
)  # fmt: skip
"""The first row that fits is taken."""
