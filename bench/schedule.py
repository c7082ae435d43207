"""What waits for its time: claims, how late posts go out, and how fast many of them come in."""

from bench.bulk import bulk
from bench.claims import claims
from bench.lateness import lateness
from bench.place import Place
from bench.results import Result
from bench.rounds import Plan, Say


def run(place: Place, plan: Plan, say: Say) -> list[Result]:
    """Measure all three."""
    return [*claims(place, plan, say), *lateness(place, plan, say), *bulk(place, plan, say)]
