"""`python -m bench`: measures everything, or what is named, and shows and writes the results."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from bench import accept, check, governor, lists, media, publish, schedule, start, webhooks
from bench.chart import draw
from bench.machine import circumstances
from bench.place import Place, open_place
from bench.results import Result, table, write
from bench.rounds import FULL, QUICK, Plan, Say
from core.embedded.supervisor import heed_first_signal

BENCHES: dict[str, Callable[[Place, Plan, Say], list[Result]]] = {
    "accept": accept.run,
    "check": check.run,
    "governor": governor.run,
    "publish": publish.run,
    "schedule": schedule.run,
    "webhooks": webhooks.run,
    "media": media.run,
    "lists": lists.run,
    "start": start.run,
}
RESULTS = Path(__file__).parent / "results"


@click.command()
@click.argument("names", nargs=-1, type=click.Choice(list(BENCHES)))
@click.option("--quick", is_flag=True, help="Only see that everything runs; the figures mean nothing.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where the results are written.")
def main(names: tuple[str, ...], quick: bool, out: Path | None) -> None:
    """Measure, each figure beside a baseline in the same run. Without names: everything."""
    heed_first_signal()
    console = _console()
    path = out or RESULTS / ("quick.json" if quick else "latest.json")
    results: list[Result] = []
    facts: dict[str, Any] = {}
    for name in dict.fromkeys(names or BENCHES):
        with open_place() as place:
            if not facts:
                facts = circumstances(place.folder, database_url=place.database_url, redis_url=place.redis_url)
                console.print(_told(facts["machine"]))
            say = partial(console.print, style="dim", highlight=False)
            results += BENCHES[name](place, QUICK if quick else FULL, say)
    write(path, results, facts)
    console.print(table(results))
    console.print("Written to " + ", ".join(map(str, [path, *draw(path, results)])))


def _told(machine: dict[str, Any]) -> str:
    return (
        f"{machine['cores']} cores ({machine['processor']}, {machine['additions_ms']} ms for a million additions in "
        f"Python), {machine['filesystem']}, load {machine['load_before']}. "
        "All that is measured shares the cores: only the ratios tell."
    )


def _console() -> Console:
    """The terminal; wide enough for the table where there is none."""
    console = Console()
    return console if console.is_terminal else Console(width=150)


if __name__ == "__main__":
    main()
