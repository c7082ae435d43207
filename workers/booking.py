"""Booking: the calls that due deliveries will take, reserved together before they are queued."""

from collections import defaultdict
from collections.abc import Sequence

from core.governor.allowance import Allowance, calls_of, quotas_in
from core.governor.asks import Answer, Ask, book
from core.governor.governor import Governor
from core.ledger.claim import Due
from core.registry import Registry
from core.settings import Settings

FREE = Answer(0.0)


class Booking:
    """Reserves for a whole claim: one call for each app that is concerned."""

    def __init__(self, governor: Governor, registry: Registry, settings: Settings) -> None:
        self._governor = governor
        self._quotas = {platform: settings.quotas_of(adapter) for platform, adapter in registry.items()}

    async def reserve(self, due: Sequence[Due]) -> list[Answer]:
        """Whether each may go, and when. Of a lane, nobody goes before one that was denied."""
        asks: dict[str, list[tuple[int, Ask]]] = defaultdict(list)
        for place, row in enumerate(due):
            # What is too late takes no calls: it only has to be told.
            if not row.expired and row.calls:
                allowance = self._allowance(row)
                asks[allowance.app] += [(place, ask) for ask in _asks(row, allowance)]
        verdicts: dict[int, list[Answer]] = defaultdict(list)
        for app, placed in asks.items():
            answers = await self._governor.ask(app, [ask for _, ask in placed])
            for (place, _), answer in zip(placed, answers, strict=True):
                verdicts[place].append(answer)
            self._give_back(app, placed, answers, verdicts)
        return [_all(verdicts[place]) if place in verdicts else FREE for place in range(len(due))]

    def _give_back(
        self, app: str, placed: Sequence[tuple[int, Ask]], answers: Sequence[Answer], verdicts: dict[int, list[Answer]]
    ) -> None:
        """What was reserved for a delivery that was denied something else."""
        for (place, ask), answer in zip(placed, answers, strict=True):
            if answer.held and not _all(verdicts[place]).held:
                self._governor.back(app, ask.windows, ask.rest[0])

    def _allowance(self, row: Due) -> Allowance:
        quotas = self._quotas.get(row.platform, ())
        return Allowance.of(row.platform, row.app, row.grant_id, quotas, quotas_in(row.quotas))


def _asks(row: Due, allowance: Allowance) -> list[Ask]:
    return [
        book(windows, names, str(row.lane_id))
        for category, names in calls_of(row.id, row.fence + 1, row.calls)
        if (windows := allowance.windows(category))
    ]


def _all(answers: Sequence[Answer]) -> Answer:
    """What holds for a delivery of whose calls each got its own answer."""
    denied = next((answer for answer in answers if not answer.held), None)
    return denied or max(answers, key=lambda answer: answer.delay)
