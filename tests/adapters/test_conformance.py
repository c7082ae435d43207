"""Every adapter that is ours, and the tests' own, holds what the suite asks of any."""

from adapters.bluesky.adapter import Bluesky
from adapters.discord import Discord
from adapters.echo import Echo
from adapters.mastodon.adapter import Mastodon
from adapters.pinterest.adapter import Pinterest
from fingerpost import AdapterConformance
from tests.platforms.mute import Mute
from tests.platforms.two_phase import TwoPhase


class TestDiscord(AdapterConformance):
    adapter = Discord()


class TestEcho(AdapterConformance):
    adapter = Echo()


class TestPinterest(AdapterConformance):
    adapter = Pinterest()


class TestMute(AdapterConformance):
    adapter = Mute()


class TestTwoPhase(AdapterConformance):
    adapter = TwoPhase()


class TestBluesky(AdapterConformance):
    adapter = Bluesky()


class TestMastodon(AdapterConformance):
    adapter = Mastodon()
