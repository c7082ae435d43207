"""What the sandboxes of all platforms share: the call log, the faults, the weather, and the socket they serve on."""

from core.sandbox.answers import json_answer
from core.sandbox.calls import Call, CallLog
from core.sandbox.exchange import Exchange
from core.sandbox.faults import FAULTS, Fault
from core.sandbox.listing import Listed, Page
from core.sandbox.match import Match
from core.sandbox.record import Recorded, Witness, appending
from core.sandbox.running import RunningSandbox, application, running, serve
from core.sandbox.sandbox import Lifespan, Sandbox, Seed
from core.sandbox.switch import Switch
from core.sandbox.target import route_of
from core.sandbox.weather import Weather

__all__ = [
    "FAULTS",
    "Call",
    "CallLog",
    "Exchange",
    "Fault",
    "Lifespan",
    "Listed",
    "Match",
    "Page",
    "Recorded",
    "RunningSandbox",
    "Sandbox",
    "Seed",
    "Switch",
    "Weather",
    "Witness",
    "appending",
    "application",
    "json_answer",
    "route_of",
    "running",
    "serve",
]
