from random import Random

from hypothesis import given
from hypothesis import strategies as st

from core.retry import PUBLISHING, Policy

policies = st.builds(
    Policy,
    attempts=st.integers(1, 20),
    first=st.floats(0.1, 60),
    base=st.floats(1, 4),
    cap=st.floats(1, 10_000),
    floor=st.floats(0, 10),
)


@given(policies, st.integers(1, 100), st.integers())
def test_a_wait_lies_between_floor_and_ceiling_and_ends_with_the_attempts(
    policy: Policy, failures: int, seed: int
) -> None:
    wait = policy.after(failures, Random(seed))
    if failures >= policy.attempts:
        assert wait is None
    else:
        ceiling = min(policy.cap, policy.first * policy.base ** (failures - 1))
        assert wait is not None
        assert min(policy.floor, ceiling) <= wait <= ceiling


@given(policies, st.integers(1, 19), st.integers(), st.floats(0, 100_000))
def test_what_the_other_side_asks_for_is_honoured(policy: Policy, failures: int, seed: int, asked: float) -> None:
    wait = policy.after(failures, Random(seed), at_least=asked)
    assert wait is None or wait >= asked


@given(policies, st.integers(1, 19), st.integers())
def test_the_same_randomness_gives_the_same_wait(policy: Policy, failures: int, seed: int) -> None:
    assert policy.after(failures, Random(seed)) == policy.after(failures, Random(seed))


def test_full_jitter_uses_the_whole_range() -> None:
    waits = [PUBLISHING.after(3, Random(seed)) for seed in range(500)]
    assert all(wait is not None for wait in waits)
    numbers = [wait for wait in waits if wait is not None]
    assert min(numbers) < 1
    assert max(numbers) > 7


def test_publishing_tries_five_times() -> None:
    waits = [PUBLISHING.after(failures, Random(0)) for failures in range(1, 6)]
    assert [wait is None for wait in waits] == [False, False, False, False, True]
