"""Whatever authors, workers, platforms and time do to each other: no word is wrong, and everything ends."""

import os
from functools import partial
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import get_state_machine_test, run_state_machine_as_test

from tests.chaos.kinds import KINDS
from tests.chaos.model import Model
from tests.conftest import Servers

PATIENT = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck), print_blob=True)


@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_wrong_and_everything_ends(servers: Servers, template: str, tmp_path: Path, kind: str) -> None:
    few = settings(PATIENT, max_examples=6, stateful_step_count=20, derandomize=True, phases=[Phase.generate])
    model: Any = partial(Model, KINDS[kind], servers.database_url, template, tmp_path)
    run_state_machine_as_test(model, settings=few)


@pytest.mark.big
@pytest.mark.parametrize("kind", KINDS)
def test_no_word_is_wrong_in_hundreds_of_lives(servers: Servers, template: str, tmp_path: Path, kind: str) -> None:
    seed = int(os.environ.get("FINGERPOST_TEST_SEED", "7"))
    many = settings(
        PATIENT,
        max_examples=int(os.environ.get("FINGERPOST_TEST_EXAMPLES", "250")),
        stateful_step_count=40,
        phases=[Phase.generate, Phase.shrink],
    )
    model: Any = partial(Model, KINDS[kind], servers.database_url, template, tmp_path)
    lives = get_state_machine_test(model, settings=many)
    hypothesis.seed(seed)(lives)()
