"""Settings: environment variables, read once, each described where it is declared."""

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from core.adapter import Adapter
from core.connect import OAuth
from core.errors import Misconfigured
from core.findings import nearest
from core.limits import Quota, shared
from core.oauth.app import DEFAULT_APP, App
from core.session import REQUEST_SECONDS

PREFIX = "FINGERPOST_"
API_KEY = f"{PREFIX}API_KEY"
"""The variable in which clients on the command line find their key; no other process heeds it."""

_ALLOWANCE = ("_TIER", "_SHARE")
_APP = ("_CLIENT_ID", "_CLIENT_SECRET")
_SCOPES = "_SCOPES"
_UNPREFIXED = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of the program. The name of each variable is the field's in capitals after `FINGERPOST_`."""

    database_url: Annotated[str, Meta(description="PostgreSQL, version 15 or later.")]
    redis_url: Annotated[str, Meta(description="Redis or Valkey.")]
    master_keys: Annotated[
        str,
        Meta(
            description="Keys that secrets are encrypted with, `version:base64` with commas; the newest seals. They "
            "have to be given, here or in a file."
        ),
    ] = ""
    master_keys_file: Annotated[
        str, Meta(description="A file with such keys, one a line, that no other user may read.")
    ] = ""
    broker_url: Annotated[
        str, Meta(description="Where wake-up messages go: a redis or amqp URL; empty means REDIS_URL.")
    ] = ""
    state: Annotated[
        str, Meta(description="Folder for uploads and for servers of our own; `serve` and `work` need it.")
    ] = ""
    public_url: Annotated[
        str,
        Meta(
            description="The address under which browsers reach this server, such as `https://post.example`; accounts "
            "are connected there, platforms lead back to it, and fetch media there."
        ),
    ] = ""
    allow_urls: Annotated[
        str,
        Meta(
            description="Hosts, addresses or networks, with commas, that webhooks and media may lead to although "
            "they are private; `loopback` means this machine."
        ),
    ] = ""
    storage_url: Annotated[
        str, Meta(description="Where uploads are kept: `s3://<bucket>/<path>`; empty means a folder in the state.")
    ] = ""
    storage_endpoint: Annotated[str, Meta(description="The address of a store that speaks S3 and is not Amazon's.")] = (
        ""
    )
    storage_region: Annotated[str, Meta(description="The region of the bucket.")] = "us-east-1"
    storage_key_id: Annotated[
        str, Meta(description="The access key of the store; empty means what the machine itself is given.")
    ] = ""
    storage_secret: Annotated[str, Meta(description="The secret of that access key.")] = ""
    upload_bytes: Annotated[int, Meta(ge=1, description="The largest file that is taken, in bytes.")] = 5 * 1024**3
    upload_quota: Annotated[int, Meta(ge=1, description="How many bytes the uploads of one team may hold.")] = (
        200 * 1024**3
    )
    upload_days: Annotated[
        float, Meta(gt=0, description="After how many days an upload that no post uses is removed.")
    ] = 30.0
    link_hours: Annotated[
        float, Meta(gt=0, description="For how long at the least a link to an upload can be read.")
    ] = 24.0
    readback: Annotated[
        str,
        Meta(
            description="Seconds after an unclear outcome at which the platform is read, with commas. Nothing is sent "
            "again before the last of them, nor before a quarter more than FINGERPOST_REQUEST_SECONDS has passed."
        ),
    ] = "5,30,120,600"
    max_delay: Annotated[float, Meta(gt=0, description="Seconds after its date at which a post fails as too late.")] = (
        86_400.0
    )
    in_flight: Annotated[int, Meta(ge=1, description="How many publishes a worker carries out at a time.")] = 512
    lease: Annotated[float, Meta(gt=0, description="Seconds for which a worker holds a delivery.")] = 60.0
    request_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that one request to a platform may take; well below the lease.")
    ] = REQUEST_SECONDS
    api_calls: Annotated[
        int, Meta(ge=0, description="Calls of our own API that a key may make in a minute; 0 sets no bound.")
    ] = 3000
    cors_origins: Annotated[
        str,
        Meta(
            description="Origins, with commas, whose pages may call the API from a browser, such as "
            "`https://app.example`; `*` means any, empty none."
        ),
    ] = ""
    webhook_endpoints: Annotated[
        int,
        Meta(ge=0, description="How many webhook endpoints a team may have, and the organization beside its teams."),
    ] = 20
    event_days: Annotated[
        float,
        Meta(ge=4, description="Days for which events, and the webhooks that told of them with their log, are kept."),
    ] = 30.0
    sandbox_record: Annotated[
        str,
        Meta(
            description="A file to which sandboxes add every call and its answer, whole, as a line of JSON each; empty "
            "means none."
        ),
    ] = ""
    log_level: Annotated[str, Meta(description="debug, info, warning or error.")] = "info"
    hosts: Annotated[
        Mapping[str, str], Meta(description="Base URLs of platforms that differ from the adapter's own.")
    ] = {}
    allowances: Annotated[
        Mapping[str, str], Meta(description="Access tiers of apps, and the shares of platforms' quotas that are used.")
    ] = {}
    apps: Annotated[
        Mapping[str, str], Meta(description="Ids and secrets of the apps at platforms, and what they ask for.")
    ] = {}

    def __repr__(self) -> str:
        """Without values: keys and passwords are among them."""
        return "Settings()"

    def __rich_repr__(self) -> list[tuple[str, object]]:
        """Without values."""
        return []

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """The settings in `environ`. Raises `Misconfigured`, naming every variable that is missing or wrong."""
        values: dict[str, Any] = {"hosts": {}, "allowances": {}, "apps": {}}
        names = {variable(field): field for field in cls.__struct_fields__ if field not in values}
        for name, text in environ.items():
            if name in names:
                values[names[name]] = text
            elif name.startswith(f"{PREFIX}TEST_") or name == API_KEY:
                continue
            elif name.startswith(PREFIX) and name.endswith("_URL"):
                values["hosts"][name] = text.rstrip("/")
            elif name.startswith(PREFIX) and name.endswith(_ALLOWANCE):
                values["allowances"][name] = text.strip()
            elif name.startswith(PREFIX) and name.endswith((*_APP, _SCOPES)):
                values["apps"][name] = text.strip()
            elif name.startswith(PREFIX):
                raise Misconfigured(f"There is no setting {name}{nearest(name, names) or '; take it out.'}")
        missing = [variable(f.name) for f in msgspec.structs.fields(cls) if f.required and not values.get(f.name)]
        if not values.get("master_keys") and not values.get("master_keys_file"):
            missing.append(variable("master_keys"))
        if missing:
            raise Misconfigured(
                f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} not set; "
                "set them, or start everything on this machine with `fingerpost up`."
            )
        try:
            return msgspec.convert(values, cls, strict=False)
        except msgspec.ValidationError as error:
            field = str(error).rpartition("`$.")[2].rstrip("`")
            raise Misconfigured(f"{variable(field)} is wrong: {error}") from None

    def hosts_of(self, adapter: Adapter[Any], own: Mapping[str, str] | None = None) -> dict[str, str]:
        """The base URLs of an adapter's platform: its own, unless `FINGERPOST_<PLATFORM>_<NAME>_URL` says another.

        `own` are those of an account that is on a server of its own.
        """
        return {
            name: self.hosts.get(f"{PREFIX}{adapter.platform}_{name.upper()}_URL", url)
            for name, url in adapter.hosts.items()
        } | dict(own or {})

    def urls_of(self, adapters: Iterable[Adapter[Any]]) -> list[str]:
        """The base URLs of all these platforms."""
        return [url for adapter in adapters for url in self.hosts_of(adapter).values()]

    def quotas_of(self, adapter: Adapter[Any]) -> tuple[Quota, ...]:
        """What an app may use of an adapter's platform: by `FINGERPOST_<PLATFORM>_TIER`, and of that the `_SHARE`.

        A share is above 0 and up to 1. Raises `Misconfigured` for one that is not, and for an unknown tier.
        """
        tier, share = (self.allowances.get(f"{PREFIX}{adapter.platform}{name}", "") for name in _ALLOWANCE)
        if tier and tier not in adapter.tiers:
            known = f"one of {', '.join(adapter.tiers)}" if adapter.tiers else "left out: the platform has no tiers"
            raise Misconfigured(f"{PREFIX}{adapter.platform}_TIER has to be {known}.")
        if share and not re.fullmatch(r"0?\.\d{1,6}|1(\.0*)?", share):
            raise Misconfigured(f"{PREFIX}{adapter.platform}_SHARE has to be above 0 and up to 1, such as 0.5.")
        return shared(adapter.tiers[tier] if tier else adapter.quotas, float(share or 1))

    def app_of(self, adapter: Adapter[Any]) -> App | None:
        """The app that this server has at an adapter's platform, by `FINGERPOST_<PLATFORM>_CLIENT_ID` and `_SECRET`.

        Raises `Misconfigured` where one of the two is missing.
        """
        id, secret = (self.apps.get(f"{PREFIX}{adapter.platform}{name}", "") for name in _APP)
        if bool(id) != bool(secret):
            missing = f"{PREFIX}{adapter.platform}{_APP[bool(id)]}"
            raise Misconfigured(f"{missing} is not set; an app has an id and a secret.")
        return App(name=DEFAULT_APP, client_id=id, client_secret=secret) if id else None

    def scopes_of(self, adapter: Adapter[Any]) -> tuple[str, ...]:
        """What is asked for beyond what publishing needs, by `FINGERPOST_<PLATFORM>_SCOPES`."""
        return tuple(self.apps.get(f"{PREFIX}{adapter.platform}{_SCOPES}", "").replace(",", " ").split())

    @property
    def public(self) -> str:
        """`public_url` without its last slash; empty where it is not set. Raises `Misconfigured` where it is no URL."""
        url = self.public_url.rstrip("/")
        parts = urlsplit(url)
        if url and (parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment):
            raise Misconfigured(f"{variable('public_url')} is no address such as https://post.example.")
        return url

    def refuse_unknown_hosts(self, adapters: Iterable[Adapter[Any]]) -> None:
        """Raise `Misconfigured` for what is set of a platform, or of a host of one, that is not installed."""
        adapters = list(adapters)
        apps = {
            f"{PREFIX}{a.platform}{name}" for a in adapters if isinstance(a.connect, OAuth) for name in (*_APP, _SCOPES)
        }
        for name in self.apps:
            if name not in apps:
                raise Misconfigured(f"There is no setting {name}{nearest(name, apps) or '; take it out.'}")
        for adapter in adapters:
            self.app_of(adapter)
        known = {f"{PREFIX}{adapter.platform}_{name.upper()}_URL" for adapter in adapters for name in adapter.hosts} | {
            variable(field) for field in self.__struct_fields__
        }
        known |= {f"{PREFIX}{adapter.platform}{name}" for adapter in adapters for name in _ALLOWANCE}
        for name in (*self.hosts, *self.allowances):
            if name not in known:
                raise Misconfigured(f"There is no setting {name}{nearest(name, known) or '; take it out.'}")

    @property
    def readback_seconds(self) -> tuple[float, ...]:
        """`readback` as numbers. Raises `Misconfigured` where it is no rising list of seconds."""
        try:
            seconds = tuple(float(part) for part in self.readback.split(","))
        except ValueError:
            seconds = ()
        if not seconds or list(seconds) != sorted(seconds) or seconds[0] <= 0:
            raise Misconfigured(f"{variable('readback')} has to be rising seconds such as 5,30,120,600.")
        return seconds

    @property
    def origins(self) -> list[str]:
        """The entries of `cors_origins`. Raises `Misconfigured` for one that is no origin."""
        found = [entry.strip() for entry in self.cors_origins.split(",") if entry.strip()]
        for entry in found:
            if entry != "*" and not re.fullmatch(r"https?://[^/?#\s]+", entry):
                raise Misconfigured(f"{variable('cors_origins')} has to hold origins such as https://app.example.")
        return found

    @property
    def allowed_urls(self) -> tuple[str, ...]:
        """The entries of `allow_urls`."""
        return tuple(entry.strip() for entry in self.allow_urls.split(",") if entry.strip())

    @property
    def keys_file(self) -> Path | None:
        """The file with master keys, where one is set."""
        return Path(self.master_keys_file) if self.master_keys_file else None

    @property
    def uploads(self) -> Path:
        """The folder in which uploads are kept. Raises `Misconfigured` where no state folder is set."""
        if not self.state:
            raise Misconfigured(f"{variable('state')} is not set; name a folder for uploads.")
        return Path(self.state) / "uploads"


def variable(field: str) -> str:
    """The environment variable of a field."""
    return _UNPREFIXED.get(field, PREFIX + field.upper())
