"""The names that authors of adapters rely on: taking one away breaks somebody."""

import subprocess
import sys

import fingerpost

NAMES = {
    "Account", "Adapter", "AdapterConformance", "Aftercare", "Block", "Body", "BrokenAdapter", "Certainty",
    "Channel", "ChannelFields", "Counter", "Digits", "Draft", "Exchange", "Fault", "Field", "Figures", "FileLimits",
    "Fill", "FingerpostError", "Form", "Insights", "Lifespan", "Limits", "Live", "Media", "MediaFile", "MediaLimits",
    "NotAuthorized", "OAuth", "OutcomeUnknown", "Pending", "Places", "Privacy", "Profile", "PublishError",
    "Published", "Quota", "RateLimited", "Refusal", "Registration", "Rejected", "Remaining", "RunningSandbox",
    "Sandbox", "Section", "Seed", "ServerOAuth", "Session", "Switch", "TextLimit", "Tokens", "Unavailable", "Url",
    "Watched", "by_status", "form_body", "free_of", "gives_one_of", "hookimpl", "json_answer", "json_body",
    "jwt_seconds", "names_channel", "only_by", "quota_left", "refused", "reset_in", "retry_after", "route_of", "rule",
    "running", "told_by",
}  # fmt: skip


def test_the_public_names_are_these() -> None:
    assert set(fingerpost.__all__) == NAMES


def test_every_public_name_is_there() -> None:
    for name in NAMES:
        assert getattr(fingerpost, name) is not None


def test_an_adapter_does_not_pay_for_the_sandbox() -> None:
    check = "import sys, fingerpost; assert not {'aiohttp', 'litestar', 'psycopg', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", check], check=True)
