"""Pinterest's description of its API (5.23 to 5.28): what of it is called, what is left, where bounds are tighter."""

USES = {
    "POST /v5/oauth/token": "Connects an account, and refreshes its token.",
    "GET /v5/user_account": "Tells whose account it is, and its figures.",
    "GET /v5/user_account/analytics": "Tells the account's figures.",
    "GET /v5/boards": "Lists the boards.",
    "POST /v5/boards": "Makes a board, also where `createBoard` asks for it.",
    "GET /v5/boards/{board_id}": "Reads a board, and whether one may write to it.",
    "PATCH /v5/boards/{board_id}": "Renames a board, or changes its description or privacy.",
    "DELETE /v5/boards/{board_id}": "Deletes a board.",
    "GET /v5/boards/{board_id}/pins": "Finds out whether an unclear create, or an unclear save, went through.",
    "GET /v5/boards/{board_id}/sections": "Lists the sections of a board.",
    "POST /v5/boards/{board_id}/sections": "Makes a section.",
    "PATCH /v5/boards/{board_id}/sections/{section_id}": "Renames a section.",
    "DELETE /v5/boards/{board_id}/sections/{section_id}": "Deletes a section; its Pins stay on the board.",
    "POST /v5/pins": "Publishes.",
    "GET /v5/pins/{pin_id}": "Reads a Pin that was published.",
    "PATCH /v5/pins/{pin_id}": "Changes a Pin that was published; in beta.",
    "DELETE /v5/pins/{pin_id}": "Takes a Pin down.",
    "POST /v5/pins/{pin_id}/save": "Saves a Pin to another board.",
    "GET /v5/pins/{pin_id}/analytics": "Tells the figures of a Pin.",
    "GET /v5/pins/analytics": "Tells the figures of up to a hundred Pins; in beta.",
    "POST /v5/media": "Registers a video.",
    "GET /v5/media/{media_id}": "Asks whether a video is ready.",
}
"""The operations that are called, and what for."""

LEAVES = {
    "POST /v5/oauth/token/revoke": "It revokes tokens of system users, and no others.",
    "GET /v5/user_account/analytics/top_pins": "The Pins that Fingerpost published are asked for one by one.",
    "GET /v5/user_account/analytics/top_video_pins": "As with all Pins.",
    "GET /v5/user_account/businesses": "It is about advertising.",
    "GET /v5/boards/{board_id}/sections/{section_id}/pins": "A Pin is looked up on its board.",
    "GET /v5/pins": "A Pin is looked up on its board.",
    "GET /v5/media": "A video is asked for by its id.",
    "PinCreate.parent_pin_id": "A Pin is saved by its own operation.",
    "PinCreate.sponsor_id": "In closed beta.",
    "PinUpdate.ai_disclosures": "What was disclosed stands.",
    "PinUpdate.carousel_slots": "A carousel has the texts and the link of its Pin.",
    "BoardCreate.is_ads_only": "Such a board takes no Pins but advertisements.",
    "PinMediaSource*.is_standard": "In beta.",
    "PinMediaSource*.index": "The first picture of a carousel is shown first.",
    "PinMediaSource*Item.title": "A carousel has the texts of its Pin.",
    "PinMediaSource*Item.description": "A carousel has the texts of its Pin.",
    "PinMediaSource*Item.link": "A carousel has the link of its Pin.",
    "PinMediaSourcePinURL.is_affiliate_link": "In beta, for Pins of products.",
}
"""The operations that are not called and the fields that are not sent, and why."""

HELP_CENTER = "Pinterest's Help Center says so; the description of its API has no such bound."

STRICTER = {
    "boardId.maxLength": "No id has been seen with more than 19 digits; an endless one is a mistake.",
    "boardSectionId.maxLength": "As with boards.",
    "link.pattern": "The API refuses what is no URL, although its description takes any text.",
    "thumbnail.pattern": "Pinterest fetches it.",
    "thumbnail.maxLength": "As with links.",
    "dominantColor.pattern": "The description says in words that it is a hex number, such as #6E7874.",
    "aiDisclosures.minItems": "An empty list discloses nothing.",
    "aiDisclosures.maxItems": "There are two values.",
    "thumbnailOffset.maximum": "No video lasts longer than 15 minutes.",
    "media.image.bytes_max": HELP_CENTER,
    "media.video.mimes": HELP_CENTER,
    "media.video.count_max": "A Pin has one video; Idea Pins cannot be made through the API.",
    "media.video.bytes_max": HELP_CENTER,
    "media.video.ratio": HELP_CENTER,
    "media.video.seconds": HELP_CENTER,
    "media.video.video_codecs": HELP_CENTER,
    "pinterest.board": "Pinterest's guide says that a Pin needs one, unless it is an advertisement.",
    "pinterest.board-name": "Pinterest's API knows boards by their ids alone; the names are found out by Fingerpost.",
    "pinterest.link-host": "The API refuses what is no URL, although its description takes any text.",
    "pinterest.video": "A Pin has one video, and Idea Pins cannot be made through the API.",
    "pinterest.video-cover": "The API refuses a video without a cover.",
}
"""The bounds and rules that are tighter than the description, and why."""
