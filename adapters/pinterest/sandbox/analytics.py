"""The operations that tell figures: made up from ids and dates, so that they are the same whenever they are asked for.

Pinterest's own sandbox tells none. What was really done here is counted as well: each copy that was saved is a save.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zlib import crc32

from aiohttp import web

from adapters.pinterest.sandbox.caller import Caller
from adapters.pinterest.sandbox.refusals import bad_figures, invalid, not_in_sandbox, restricted
from adapters.pinterest.sandbox.schema import DIGITS, Text, choice_in_query, digits_in_path
from adapters.pinterest.sandbox.things import Pin
from fingerpost import json_answer

Figures = Counter[str]

LONGEST_DAYS = 90
"""How far back figures are kept, and how many days one answer spans."""

MOST_PINS = 100
COUNTED = ("IMPRESSION", "OUTBOUND_CLICK", "PIN_CLICK", "SAVE", "USER_FOLLOW", "PROFILE_VISIT")
LIFETIME = ("TOTAL_COMMENTS", "TOTAL_REACTIONS")
STANDARD = (*COUNTED, "SAVE_RATE", *LIFETIME)
VIDEO = (
    "VIDEO_MRC_VIEW",
    "VIDEO_10S_VIEW",
    "QUARTILE_95_PERCENT_VIEW",
    "VIDEO_V50_WATCH_TIME",
    "VIDEO_START",
    "VIDEO_AVG_WATCH_TIME",
)
RATES = {f"{name}_RATE": name for name in ("ENGAGEMENT", "OUTBOUND_CLICK", "PIN_CLICK", "SAVE")}
OF_ACCOUNT = ("ENGAGEMENT", "IMPRESSION", "OUTBOUND_CLICK", "PIN_CLICK", "SAVE", *RATES)
TOP = ("ENGAGEMENT", "IMPRESSION", "OUTBOUND_CLICK", "PIN_CLICK", "SAVE")
TOP_VIDEO = ("IMPRESSION", "SAVE", "OUTBOUND_CLICK", *VIDEO)
APPS = ("ALL", "MOBILE", "TABLET", "WEB")
SHARES = {"MOBILE": 6, "TABLET": 1, "WEB": 3}
"""Of ten of everything, how many come from each kind of app."""


async def show_pin_figures(caller: Caller, request: web.Request) -> web.Response:
    """`GET /pins/{pin_id}/analytics`."""
    _open(caller)
    pin = caller.pin(digits_in_path(request, "pin_id"))
    return json_answer(200, _pin_figures(caller, request, pin, "pins"))


async def show_many_figures(caller: Caller, request: web.Request) -> web.Response:
    """`GET /pins/analytics`, which is in beta: not every app may."""
    _open(caller)
    if "multi_pin_analytics" not in caller.world.granted:
        raise restricted()
    ids = _listed(request, "pin_ids")
    if not 1 <= len(ids) <= MOST_PINS:
        raise invalid(f"{ids!r} is too {'long' if ids else 'short'}")
    for id in ids:
        Text(pattern=DIGITS).check(id)
    pins = [caller.pin(id) for id in ids]
    return json_answer(200, {pin.id: _pin_figures(caller, request, pin, "multi_pins") for pin in pins})


async def show_user_figures(caller: Caller, request: web.Request) -> web.Response:
    """`GET /user_account/analytics`."""
    _open(caller)
    names = _metrics(request, OF_ACCOUNT, "user accounts", OF_ACCOUNT)
    days = _days(caller, request, "user accounts")
    pins = [pin for pin in caller.world.pins_of(caller.user) if caller.board(pin.board)]

    def on(day: date) -> Figures:
        return sum((_counted(caller, pin, day) for pin in pins), Counter())

    return json_answer(200, _split(request, lambda share: _told(days, names, on, share)))


async def list_top_pins(caller: Caller, request: web.Request) -> web.Response:
    """`GET /user_account/analytics/top_pins`."""
    return _top(caller, request, TOP, OF_ACCOUNT, lambda pin: True)


async def list_top_video_pins(caller: Caller, request: web.Request) -> web.Response:
    """`GET /user_account/analytics/top_video_pins`."""
    return _top(caller, request, TOP_VIDEO, TOP_VIDEO, _is_video)


def _open(caller: Caller) -> None:
    if not caller.world.tells_figures:
        raise not_in_sandbox()


def _pin_figures(caller: Caller, request: web.Request, pin: Pin, whose: str) -> dict[str, Any]:
    known = (*STANDARD, *VIDEO) if _is_video(pin) else STANDARD
    names = _metrics(request, known, whose, ())
    days = _days(caller, request, whose)
    lifetime = {name: _lifetime(caller, pin, name) for name in names if name in LIFETIME}
    daily = [name for name in names if name not in LIFETIME]

    def on(day: date) -> Figures:
        return _counted(caller, pin, day)

    def told(share: float) -> dict[str, Any]:
        figures = _told(days, daily, on, share)
        return {**figures, "lifetime_metrics": {name: int(value * share) for name, value in lifetime.items()}}

    return _split(request, told)


def _told(days: Sequence[date], names: Sequence[str], on: Callable[[date], Figures], share: float) -> dict[str, Any]:
    counted = [(day, on(day)) for day in days]
    return {
        "daily_metrics": [
            {"data_status": "READY", "date": day.isoformat(), "metrics": _shown(figures, names, share)}
            for day, figures in counted
        ],
        "summary_metrics": _shown(sum((figures for _, figures in counted), Counter()), names, share),
    }


def _shown(figures: Figures, names: Sequence[str], share: float) -> dict[str, float]:
    return {name: _value(figures, name, share) for name in names}


def _value(figures: Figures, name: str, share: float) -> float:
    if name in RATES:
        return round(figures[RATES[name]] / max(figures["IMPRESSION"], 1), 6)
    return int(figures[name] * share)


def _counted(caller: Caller, pin: Pin, day: date) -> Figures:
    """What a Pin has come to on one day; nothing before it was made."""
    if day < _day(pin.dated):
        return Counter()
    seen = 50 + crc32(f"{pin.id}:{day}".encode()) % 200
    copies = sum(1 for each in caller.world.pins.values() if each.parent == pin.id and _day(each.dated) == day)
    figures = Counter(
        IMPRESSION=seen,
        PIN_CLICK=seen // 10,
        OUTBOUND_CLICK=seen // 25,
        SAVE=seen // 20 + copies,
        USER_FOLLOW=seen // 100,
        PROFILE_VISIT=seen // 50,
    )
    figures["ENGAGEMENT"] = figures["PIN_CLICK"] + figures["SAVE"]
    for place, name in enumerate(VIDEO, 2):
        figures[name] = seen // place if _is_video(pin) else 0
    return figures


def _lifetime(caller: Caller, pin: Pin, name: str) -> int:
    """A number that grows with every day of a Pin's life."""
    days = (_today(caller) - _day(pin.dated)).days + 1
    return days * (1 + crc32(f"{pin.id}:{name}".encode()) % 5)


def _is_video(pin: Pin) -> bool:
    return pin.video is not None


def _top(
    caller: Caller, request: web.Request, sorts: Sequence[str], known: Sequence[str], fits: Callable[[Pin], bool]
) -> web.Response:
    _open(caller)
    names = _metrics(request, known, "user accounts", known)
    days = _days(caller, request, "user accounts")
    if request.query.get("sort_by") not in sorts:
        raise bad_figures("user accounts")
    sort_by, most = request.query["sort_by"], _most(request)
    pins = [pin for pin in caller.world.pins_of(caller.user) if caller.board(pin.board) and fits(pin)]
    totals = {pin.id: sum((_counted(caller, pin, day) for day in days), Counter()) for pin in pins}
    best = sorted(totals, key=lambda id: -totals[id][sort_by])[:most]
    return json_answer(
        200,
        {
            "date_availability": {"is_realtime": False, "latest_available_timestamp": caller.world.platform.now()},
            "sort_by": sort_by,
            "pins": [
                {
                    "pin_id": id,
                    "metrics": _shown(totals[id], names, 1.0),
                    "data_status": dict.fromkeys(names, "READY"),
                }
                for id in best
            ],
        },
    )


def _most(request: web.Request) -> int:
    asked = request.query.get("num_of_pins", "10")
    if not asked.isdecimal() or not 1 <= int(asked) <= 50:
        raise bad_figures("user accounts")
    return int(asked)


def _split(request: web.Request, told: Callable[[float], dict[str, Any]]) -> dict[str, Any]:
    """The figures of all apps, of one kind, or of each kind by itself."""
    apps = choice_in_query(request, "app_types", APPS, "ALL")
    if choice_in_query(request, "split_field", ("NO_SPLIT", "APP_TYPE"), "NO_SPLIT") == "APP_TYPE":
        return {name: told(share / 10) for name, share in SHARES.items()}
    return {"all": told(SHARES.get(apps, 10) / 10)}


def _metrics(request: web.Request, known: Iterable[str], whose: str, usual: Sequence[str]) -> Sequence[str]:
    names = _listed(request, "metric_types") or usual
    if not names or set(names) - set(known):
        raise bad_figures(whose)
    return list(dict.fromkeys(names))


def _listed(request: web.Request, name: str) -> list[str]:
    """A list in the query: joined by commas, or the name repeated."""
    return [item for text in request.query.getall(name, []) for item in text.split(",") if item]


def _days(caller: Caller, request: web.Request, whose: str) -> list[date]:
    try:
        first, last = (date.fromisoformat(request.query.get(f"{end}_date", "")) for end in ("start", "end"))
    except ValueError:
        raise bad_figures(whose) from None
    today, span = _today(caller), (last - first).days
    if not 0 <= span <= LONGEST_DAYS or (today - first).days > LONGEST_DAYS or last > today:
        raise bad_figures(whose)
    return [first + timedelta(days=number) for number in range(span + 1)]


def _today(caller: Caller) -> date:
    return _day(caller.world.platform.now())


def _day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).date()
