"""The suite as a class for pytest, which is not needed to import it."""

import asyncio
from typing import ClassVar
from unittest import SkipTest

from core.conformance.suite import examine
from core.drafting import AnyAdapter
from core.registry import sandbox_of


class AdapterConformance:
    """Subclass it as `class TestMine(AdapterConformance)` with your adapter, and pytest runs the suite on it.

    A check that cannot be made, such as of outcomes without a sandbox, is skipped with its reason.
    """

    adapter: ClassVar[AnyAdapter]

    def test_the_declaration_is_complete_and_at_one_with_itself(self) -> None:
        """Every attribute is there and makes sense, and no two contradict each other."""
        self.holds("declaration")

    def test_rules_are_named_and_worded(self) -> None:
        """Rules are named after the platform, speak of fields that there are, and say what to do."""
        self.holds("rules")

    def test_every_rule_has_an_example_that_breaks_it(self) -> None:
        """As declared by `breaks`."""
        self.holds("broken rules")

    def test_the_json_schema_goes_there_and_back(self) -> None:
        """It names each field with its words, and an example survives it."""
        self.holds("schema")

    def test_every_bound_is_enforced_at_its_edge(self) -> None:
        """One under, at, and one over it."""
        self.holds("bounds")

    def test_every_bound_of_files_is_enforced_at_its_edge(self) -> None:
        """One under, at, and one over it."""
        self.holds("media bounds")

    def test_the_bounds_are_those_of_the_platform(self) -> None:
        """As its sandbox has them."""
        self.holds("platform's bounds")

    def test_its_examples_go_out(self) -> None:
        """Under an id that the platform knows."""
        self.holds("publishing")

    def test_a_dry_run_comes_to_its_end(self) -> None:
        """By the answers of `rehearsal`."""
        self.holds("dry run")

    def test_every_failure_is_called_by_its_name(self) -> None:
        """At every call of a publish."""
        self.holds("failures")

    def test_odd_refusals_break_nothing(self) -> None:
        """Whatever their bodies are."""
        self.holds("odd refusals")

    def test_every_declared_refusal_comes_out_as_declared(self) -> None:
        """With its class, its code and its hint."""
        self.holds("refusals")

    def test_lost_answers_lead_to_one_post(self) -> None:
        """At every call of a publish."""
        self.holds("lost answers")

    def test_crashes_lead_to_one_post(self) -> None:
        """Before and behind every commit."""
        self.holds("crashes")

    def test_secrets_stay_secret(self) -> None:
        """Whatever fails."""
        self.holds("secrets")

    def test_nothing_blocks_the_event_loop(self) -> None:
        """Neither a sleep, a socket nor a program."""
        self.holds("event loop")

    def test_it_leaves_to_the_session_what_is_the_session_s(self) -> None:
        """No logs, no sleep, no environment, no imports past the public face."""
        self.holds("manners")

    def holds(self, check: str) -> None:
        """Raise AssertionError with all that a check finds wrong, SkipTest where it cannot be made."""
        verdict = asyncio.run(examine(check, self.adapter, sandbox_of(self.adapter)))
        assert not verdict.faults, f"{verdict.says}\n" + "\n".join(f"- {fault}" for fault in verdict.faults)
        if verdict.skipped and not verdict.tried:
            raise SkipTest(verdict.skipped)
