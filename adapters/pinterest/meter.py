"""What Pinterest tells of its rate limits in the headers of its answers."""

import re
from collections.abc import Sequence

import httpx

from fingerpost import Remaining

POLICY = re.compile(r'(\d{1,9});w=(\d{1,9});name="(\w+?)_app_id(?:_user_id)?"')
SAFETY_NET = "safety_net"
"""Pinterest's name for the limit on all calls together."""


def remaining(response: httpx.Response) -> Sequence[Remaining]:
    """What remains of the window that is nearest to its end.

    `x-ratelimit-limit: 100, 100;w=1;name="safety_net_app_id_user_id", 1000;w=60;name="org_read_app_id_user_id"` begins
    with the calls of the window that `x-ratelimit-remaining` and `x-ratelimit-reset` (seconds) are about.
    """
    limit, left, reset = (response.headers.get(f"x-ratelimit-{name}", "") for name in ("limit", "remaining", "reset"))
    chosen = re.match(r"\d{1,9}", limit)
    if chosen is None or not re.fullmatch(r"\d{1,9}", left) or not re.fullmatch(r"\d{1,6}", reset):
        return ()
    for calls, seconds, name in POLICY.findall(limit):
        if calls == chosen[0]:
            category = "all" if name == SAFETY_NET else name
            return (Remaining(category=category, seconds=int(seconds), calls=int(left), reset=float(reset)),)
    return ()
