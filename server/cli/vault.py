"""`fingerpost vault`: the secrets at rest, and the master keys that they stand under."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from core.database.pool import open_pool
from core.errors import Misconfigured
from core.settings import Settings
from core.vault import Vault
from core.vault.places import PLACES
from core.vault.register import check_keys
from core.vault.rotation import Count, Fault, Rotation

T = TypeVar("T")

MOST_TOLD = 20
"""How many secrets that do not open are named."""


@click.group()
def vault() -> None:
    """Check stored secrets, and move them to a new master key.

    Tokens and webhook secrets are sealed under the newest key of FINGERPOST_MASTER_KEYS and
    FINGERPOST_MASTER_KEYS_FILE.
    """


@vault.command()
def key() -> None:
    """Print a fresh master key, as the settings take it; its version is one above those that are set."""
    settings = Settings.read()
    versions = Vault.parse(settings.master_keys, file=settings.keys_file).versions
    click.echo(Vault.generate(max(versions) + 1))


@vault.command()
@click.option("--quick", is_flag=True, help="Only count; do not open every secret.")
def check(quick: bool) -> None:
    """Show how many secrets stand under which key, and open each of them.

    Ends with exit code 1 where a key is missing or a secret does not open.
    """

    async def look(rotation: Rotation) -> tuple[list[Count], list[Fault]]:
        counts = await rotation.counts()
        with _progress() as progress:
            task = progress.add_task("opening", total=sum(count.secrets for count in counts))
            faults = [] if quick else await rotation.check(lambda looked_at: progress.advance(task, looked_at))
        return counts, faults

    counts, faults = _run(look, strict=False)
    Console().print(_table(counts))
    _end_with(faults)


@vault.command()
def rotate() -> None:
    """Seal every secret anew under the newest key, while everything runs.

    Add the new key to the settings of every process and start them again first. May be interrupted, or killed, and
    begun again; may run beside servers and workers. When it says that none is left, take the old key out.
    """

    async def turn(rotation: Rotation) -> tuple[int, list[Count], list[Fault]]:
        before, moved = await rotation.counts(), 0
        with _progress() as progress:
            newest = rotation.version
            task = progress.add_task("sealing", total=sum(c.secrets for c in before if c.version != newest))

            def done(count: int) -> None:
                nonlocal moved
                moved += count
                progress.advance(task, count)

            faults = await rotation.rotate(done)
        return moved, await rotation.counts(), faults

    moved, counts, faults = _run(turn, strict=True)
    Console().print(_table(counts))
    click.echo(f"{moved} sealed anew, {len(faults)} left.")
    _end_with(faults)


def _run(act: Callable[[Rotation], Awaitable[T]], *, strict: bool) -> T:
    """What `act` answers; with `strict` it is only asked where no key is lost or wrong."""
    settings = Settings.read()
    opened = Vault.parse(settings.master_keys, file=settings.keys_file)

    async def connected() -> T:
        async with open_pool(settings.database_url, size=2, name="vault") as pool:
            if strict:
                await check_keys(pool, opened)
            return await act(Rotation(pool, opened))

    return asyncio.run(connected())


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _table(counts: Iterable[Count]) -> Table:
    numbers = Counter({(count.place, count.version): count.secrets for count in counts})
    versions = sorted({version for _, version in numbers})
    table = Table("secrets", *(f"key {version}" for version in versions), box=None)
    for place in PLACES:
        table.add_row(str(place), *(str(numbers[place, version]) for version in versions))
    return table


def _end_with(faults: Iterable[Fault]) -> None:
    found = list(faults)
    for fault in found[:MOST_TOLD]:
        click.echo(f"{fault.place} of {fault.row}: {fault.words}", err=True)
    if found:
        raise Misconfigured(f"{len(found)} of the secrets do not open; the lines above say why.")
