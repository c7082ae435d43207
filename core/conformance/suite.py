"""The suite: every check by its name, and what it found of a subject."""

import inspect
from collections.abc import AsyncIterator, Callable

import msgspec

from core.conformance import bounds, conduct, declaration, outcomes
from core.conformance.declaration import Tried
from core.conformance.subject import NotExamined, Subject
from core.conformance.trial import trial
from core.drafting import AnyAdapter
from core.sandbox import Sandbox

Check = Callable[[Subject], AsyncIterator[Tried]]

CHECKS: dict[str, Check] = {
    "declaration": declaration.is_complete,
    "ways": declaration.has_ways_that_are_known,
    "rules": declaration.has_sound_rules,
    "broken rules": declaration.has_rules_that_can_be_broken,
    "schema": declaration.fits_a_schema,
    "bounds": bounds.are_enforced,
    "media bounds": bounds.of_media_are_enforced,
    "platform's bounds": bounds.are_those_of_the_platform,
    "publishing": outcomes.publishes,
    "dry run": outcomes.rehearses,
    "failures": outcomes.names_failures,
    "odd refusals": outcomes.reads_any_refusal,
    "refusals": outcomes.knows_its_refusals,
    "lost answers": outcomes.survives_lost_answers,
    "crashes": outcomes.survives_crashes,
    "secrets": conduct.keeps_secrets,
    "event loop": conduct.does_not_block,
    "manners": conduct.leaves_to_the_session,
}
"""By the name under which a report lists it."""


IN_ANY_WAY = frozenset({"broken rules", "platform's bounds"})
"""Checks whose faults count where every way of being connected has them: a rule or a field may be of one way alone."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a check found: how much it tried, what is wrong, or why it could not be made."""

    check: str
    says: str
    tried: int = 0
    faults: tuple[str, ...] = ()
    skipped: str = ""


async def subjects(adapter: AnyAdapter, sandbox: type[Sandbox] | None) -> AsyncIterator[Subject]:
    """What is examined of an adapter: each way of being connected by itself, with an account where that can be."""
    if sandbox is None:
        yield Subject(adapter=adapter, sandbox=None)
        return
    for way in sandbox.ways or ("",):
        async with trial(Subject(adapter=adapter, sandbox=sandbox, way=way)) as here:
            connected = here.subject
        yield connected


async def examine(name: str, adapter: AnyAdapter, sandbox: type[Sandbox] | None) -> Verdict:
    """What the check of that name finds of an adapter."""
    check = CHECKS[name]
    tried: list[list[Tried]] = []
    skipped = ""
    async for subject in subjects(adapter, sandbox):
        try:
            tried.append([each async for each in check(subject)])
        except NotExamined as error:
            skipped = str(error)
    found = dict.fromkeys(each for row in tried for each in row if each is not None)
    faults = tuple(fault for fault in found if name not in IN_ANY_WAY or all(fault in row for row in tried))
    says = inspect.getdoc(check) or ""
    return Verdict(check=name, says=says, tried=sum(map(len, tried)), faults=faults, skipped=skipped)
