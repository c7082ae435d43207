"""Plug-ins enter by one door, and a broken one harms nobody."""

from types import ModuleType
from typing import Any

import pytest

from adapters import echo, pinterest
from adapters.echo import Echo, EchoBlock
from core.connect import Field, Form, OAuth
from core.describe import describe
from core.registry import Registry
from fingerpost import Adapter, Aftercare, Profile, Published, Session, hookimpl


def plugin(adapters: Any) -> ModuleType:
    @hookimpl
    def fingerpost_adapters() -> Any:
        return adapters() if callable(adapters) else adapters

    module = ModuleType("plugin")
    module.fingerpost_adapters = fingerpost_adapters  # type: ignore[attr-defined]
    return module


def test_ours_come_in_through_the_same_door_as_a_stranger_s() -> None:
    registry = Registry.installed()
    assert set(registry) >= {"ECHO", "PINTEREST"}
    assert registry.broken == {}


def test_a_plug_in_that_raises_is_named_and_harms_no_other() -> None:
    def explode() -> Any:
        raise RuntimeError("not today")

    registry = Registry({"echo": echo, "bad": plugin(explode), "pinterest": pinterest})
    assert set(registry) == {"ECHO", "PINTEREST"}
    assert registry.broken == {"bad": "RuntimeError: not today"}


def test_a_platform_is_served_by_the_first_who_claims_it() -> None:
    registry = Registry({"echo": echo, "copy": plugin([Echo()])})
    assert list(registry) == ["ECHO"]
    assert "already served by adapters.echo.Echo" in registry.broken["copy"]


def test_names_that_clients_know_are_gathered_and_odd_ones_break_their_plug_in() -> None:
    def telling(names: list[Any]) -> ModuleType:
        @hookimpl
        def fingerpost_vocabulary() -> list[Any]:
            return names

        module = ModuleType("plugin")
        module.fingerpost_vocabulary = fingerpost_vocabulary  # type: ignore[attr-defined]
        return module

    plugins = {"one": telling(["ECHO", "FAX"]), "two": telling(["FAX", "TELEX"]), "odd": telling(["fax"])}
    registry = Registry({"echo": echo, **plugins})
    assert list(registry) == ["ECHO"]
    assert registry.vocabulary == {"ECHO", "FAX", "TELEX"}
    assert registry.broken == {"odd": "TypeError: its vocabulary has 'fax', no name of a platform in CAPITALS"}


def test_a_declaration_that_is_not_complete_is_named() -> None:
    class Nameless(Adapter[EchoBlock]):
        platform, certainty, hosts = "NAMELESS", "none", {}

        async def publish(self, draft: Any, session: Session) -> Published:
            raise NotImplementedError

        async def profile(self, session: Session) -> Profile:
            raise NotImplementedError

    registry = Registry({"nameless": plugin([Nameless()])})
    assert list(registry) == []
    assert registry.broken == {"nameless": "TypeError: Nameless declares no `label`"}


def test_a_declaration_that_makes_no_sense_is_named_and_not_served() -> None:
    class Lost(Echo):
        platform, hosts = "LOST", {"web": "nowhere"}
        certainty = "sometimes"  # type: ignore[assignment]  # no such kind

    registry = Registry({"lost": plugin([Lost()]), "echo": echo})
    assert list(registry) == ["ECHO"]
    assert registry.broken["lost"].startswith("TypeError: Lost: hosts has no `api`; host web is 'nowhere', no base URL")
    assert "certainty is 'sometimes', none of key" in registry.broken["lost"]


def test_a_word_for_a_post_that_fits_into_no_address_is_named() -> None:
    class Care(Aftercare):
        noun = "{pin}/x"

    class Odd(Echo):
        platform = "ODD"
        aftercare = Care()

    assert "noun is '{pin}/x'" in Registry({"odd": plugin([Odd()])}).broken["odd"]


def test_every_rule_has_words_and_a_platform_s_name() -> None:
    for name, adapter in Registry.installed().items():
        for rule in adapter.rules:
            assert rule.id.startswith(f"{name.lower()}.")
            assert rule.says
            fields = describe(adapter).fields
            assert set(rule.at) <= set(fields)


@pytest.mark.parametrize(
    "way",
    [
        OAuth(authorize_url="{web}/oauth", token_url="{api}/t", scopes=()),
        OAuth(authorize_url="{api}/oauth", token_url="{}/t", scopes=()),
        Form(fields=()),
        Form(fields=(Field(name="a", label="A"), Field(name="a", label="B"))),
        Form(fields=(Field(name="state", label="A"),)),
    ],
)
def test_a_way_of_connecting_that_cannot_be_gone_is_named(way: OAuth | Form) -> None:
    class Stuck(Echo):
        platform = "STUCK"
        connect = way  # type: ignore[assignment]  # any way may be declared

    class Plugin:
        @hookimpl
        def fingerpost_adapters(self) -> list[Stuck]:
            return [Stuck()]

    registry = Registry({"stuck": Plugin()})
    assert "STUCK" not in registry
    assert "Stuck" in registry.broken["stuck"]
