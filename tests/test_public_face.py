"""The names that authors of adapters rely on: taking one away breaks somebody."""

import subprocess
import sys

import fingerpost

NAMES = {
    "Account", "Adapter", "Block", "BrokenAdapter", "Certainty", "Channel", "Draft", "Fill", "FingerpostError",
    "Lifespan", "Limits", "Media", "MediaLimits", "NotAuthorized", "OutcomeUnknown", "Pending", "Profile",
    "PublishError", "Published", "Quota", "RateLimited", "Rejected", "RunningSandbox", "Sandbox", "Seed", "Session",
    "Unavailable", "Url", "by_status", "hookimpl", "json_answer", "retry_after", "route_of", "rule", "running",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(fingerpost.__all__) == NAMES


def test_every_public_name_is_there() -> None:
    for name in NAMES:
        assert getattr(fingerpost, name) is not None


def test_an_adapter_does_not_pay_for_the_sandbox() -> None:
    check = "import sys, fingerpost; assert not {'aiohttp', 'litestar', 'psycopg', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
