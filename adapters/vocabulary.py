"""The platforms that clients of the wire format know by name, whether an adapter serves them here or not."""

import fingerpost as fp

BUNDLE_SOCIAL = frozenset(
    {
        *("BLUESKY", "DISCORD", "FACEBOOK", "GOOGLE_BUSINESS", "INSTAGRAM", "LINKEDIN", "MASTODON", "PINTEREST"),
        *("REDDIT", "SLACK", "SNAPCHAT", "THREADS", "TIKTOK", "TWITTER", "YOUTUBE"),
    }
)
"""What bundle.social calls `SocialAccountType`, in the types of its npm package `bundlesocial` 2.64.2."""


@fp.hookimpl
def fingerpost_vocabulary() -> frozenset[str]:
    """What programs that were written for bundle.social may ask for."""
    return BUNDLE_SOCIAL
