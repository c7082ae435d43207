"""The figures of Pins and of the account, over the last 90 days and over their whole life."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import msgspec

from adapters.pinterest.aftercare import pin_path
from fingerpost import Figures, Insights, Rejected, Session, Watched

WINDOW_DAYS = 89
"""Pinterest goes 90 days back from its own today; a day less fits wherever its day has begun."""

MOST_PINS = 100
"""So many Pins are told of at a time."""

STANDARD = (
    *("IMPRESSION", "OUTBOUND_CLICK", "PIN_CLICK", "SAVE", "SAVE_RATE", "TOTAL_COMMENTS", "TOTAL_REACTIONS"),
    *("USER_FOLLOW", "PROFILE_VISIT"),
)
VIDEO = (
    *("VIDEO_MRC_VIEW", "VIDEO_10S_VIEW", "QUARTILE_95_PERCENT_VIEW", "VIDEO_V50_WATCH_TIME", "VIDEO_START"),
    "VIDEO_AVG_WATCH_TIME",
)
OF_ACCOUNT = (
    *("ENGAGEMENT", "ENGAGEMENT_RATE", "IMPRESSION", "OUTBOUND_CLICK", "OUTBOUND_CLICK_RATE", "PIN_CLICK"),
    *("PIN_CLICK_RATE", "SAVE", "SAVE_RATE"),
)


class Metrics(msgspec.Struct):
    """What is told of one split of the figures; some come as the sum of the window, others for the whole life."""

    summary_metrics: dict[str, float] = {}
    lifetime_metrics: dict[str, float] = {}

    @property
    def merged(self) -> dict[str, float]:
        """Both: Pinterest tells each of them in one of the two."""
        return {**self.summary_metrics, **self.lifetime_metrics}


Told = dict[str, Metrics]
"""The figures by split; undivided they are called `all`."""


class Counts(msgspec.Struct):
    """What `GET /v5/user_account` counts."""

    pin_count: int | None = None
    follower_count: int | None = None
    following_count: int | None = None
    monthly_views: int | None = None


class PinInsights(Insights):
    """Analytics of Pinterest. Those of many Pins are in beta: without them each Pin is asked for by itself."""

    async def post(self, watched: Watched, today: date, session: Session) -> Figures:
        """`GET /v5/pins/{pin_id}/analytics`; the figures of a film are left out where Pinterest has none."""
        if watched.is_video:
            try:
                return await _one(watched.external_id, (*STANDARD, *VIDEO), today, session)
            except Rejected as error:
                if error.http_status != 400:
                    raise
        return await _one(watched.external_id, STANDARD, today, session)

    async def posts(self, watched: Sequence[Watched], today: date, session: Session) -> Mapping[str, Figures]:
        """`GET /v5/pins/analytics`, as far as the app and the Pins allow; the rest is asked for one by one."""
        ids = [each.external_id for each in watched if not each.is_video]
        found: dict[str, Figures] = {}
        for start in range(0, len(ids), MOST_PINS):
            try:
                found |= await _many(ids[start : start + MOST_PINS], today, session)
            except Rejected:
                # Not granted, or one of them is gone: the others are to be told all the same.
                break
        return found

    async def account(self, today: date, session: Session) -> Figures:
        """`GET /v5/user_account` and `/analytics`, which only a business account has."""
        response = await session.http.get("/v5/user_account")
        counts = msgspec.json.decode(response.content, type=Counts)
        try:
            metrics = await _of_account(today, session)
            lacks: tuple[str, ...] = ()
        except Rejected as error:
            metrics, lacks = {}, (f"The account's analytics: {error.message}",)
        if counts.monthly_views is not None:
            metrics["MONTHLY_VIEWS"] = counts.monthly_views
        return Figures(
            impressions=_whole(metrics.get("IMPRESSION")),
            saves=_whole(metrics.get("SAVE")),
            post_count=counts.pin_count,
            followers=counts.follower_count,
            following=counts.following_count,
            metrics=metrics,
            lacks=lacks,
        )


async def _one(pin_id: str, names: Sequence[str], today: date, session: Session) -> Figures:
    params = {**_window(today), "metric_types": ",".join(names)}
    response = await session.http.get(f"{pin_path(pin_id)}/analytics", params=params)
    return _figures(msgspec.json.decode(response.content, type=Told))


async def _many(ids: Sequence[str], today: date, session: Session) -> dict[str, Figures]:
    params: dict[str, Any] = {**_window(today), "pin_ids": list(ids), "metric_types": ",".join(STANDARD)}
    response = await session.http.get("/v5/pins/analytics", params=params)
    told = msgspec.json.decode(response.content, type=dict[str, Told])
    return {pin_id: _figures(each) for pin_id, each in told.items() if pin_id in ids}


async def _of_account(today: date, session: Session) -> dict[str, float]:
    params = {**_window(today), "metric_types": ",".join(OF_ACCOUNT)}
    response = await session.http.get("/v5/user_account/analytics", params=params)
    return msgspec.json.decode(response.content, type=Told).get("all", Metrics()).merged


def _window(today: date) -> dict[str, str]:
    return {"start_date": (today - timedelta(days=WINDOW_DAYS)).isoformat(), "end_date": today.isoformat()}


def _figures(told: Told) -> Figures:
    metrics = told.get("all", Metrics()).merged
    return Figures(
        impressions=_whole(metrics.get("IMPRESSION")),
        views=_whole(metrics.get("VIDEO_MRC_VIEW")),
        likes=_whole(metrics.get("TOTAL_REACTIONS")),
        comments=_whole(metrics.get("TOTAL_COMMENTS")),
        saves=_whole(metrics.get("SAVE")),
        metrics=metrics,
    )


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
