"""Settings: environment variables, read once, each described where it is declared."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from core.adapter import Adapter
from core.errors import Misconfigured
from core.findings import nearest
from core.session import REQUEST_SECONDS

PREFIX = "FINGERPOST_"
_UNPREFIXED = {"database_url": "DATABASE_URL", "redis_url": "REDIS_URL"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting of the program. The name of each variable is the field's in capitals after `FINGERPOST_`."""

    database_url: Annotated[str, Meta(description="PostgreSQL, version 15 or later.")]
    redis_url: Annotated[str, Meta(description="Redis or Valkey.")]
    master_keys: Annotated[
        str, Meta(description="Keys that tokens are encrypted with, `version:base64` with commas; the newest seals.")
    ]
    broker_url: Annotated[
        str, Meta(description="Where wake-up messages go: a redis or amqp URL; empty means REDIS_URL.")
    ] = ""
    state: Annotated[
        str, Meta(description="Folder for uploads and for servers of our own; `serve` and `work` need it.")
    ] = ""
    allow_urls: Annotated[
        str,
        Meta(
            description="Hosts, addresses or networks, with commas, that webhooks and media may lead to although "
            "they are private; `loopback` means this machine."
        ),
    ] = ""
    readback: Annotated[
        str, Meta(description="Seconds after an unclear outcome at which the platform is read, with commas.")
    ] = "5,30,120,600"
    max_delay: Annotated[float, Meta(gt=0, description="Seconds after its date at which a post fails as too late.")] = (
        86_400.0
    )
    in_flight: Annotated[int, Meta(ge=1, description="How many publishes a worker carries out at a time.")] = 256
    lease: Annotated[float, Meta(gt=0, description="Seconds for which a worker holds a delivery.")] = 60.0
    request_seconds: Annotated[
        float, Meta(gt=0, description="Seconds that one request to a platform may take; well below the lease.")
    ] = REQUEST_SECONDS
    log_level: Annotated[str, Meta(description="debug, info, warning or error.")] = "info"
    hosts: Annotated[
        Mapping[str, str], Meta(description="Base URLs of platforms that differ from the adapter's own.")
    ] = {}

    @classmethod
    def read(cls, environ: Mapping[str, str] = os.environ) -> "Settings":
        """The settings in `environ`. Raises `Misconfigured`, naming every variable that is missing or wrong."""
        values: dict[str, Any] = {"hosts": {}}
        names = {variable(field): field for field in cls.__struct_fields__ if field != "hosts"}
        for name, text in environ.items():
            if name in names:
                values[names[name]] = text
            elif name.startswith(f"{PREFIX}TEST_"):
                continue
            elif name.startswith(PREFIX) and name.endswith("_URL"):
                values["hosts"][name] = text.rstrip("/")
            elif name.startswith(PREFIX):
                raise Misconfigured(f"There is no setting {name}{nearest(name, names) or '; take it out.'}")
        missing = [variable(f.name) for f in msgspec.structs.fields(cls) if f.required and not values.get(f.name)]
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

    def hosts_of(self, adapter: Adapter[Any]) -> dict[str, str]:
        """The base URLs of an adapter's platform: its own, unless `FINGERPOST_<PLATFORM>_<NAME>_URL` says another."""
        return {
            name: self.hosts.get(f"{PREFIX}{adapter.platform}_{name.upper()}_URL", url)
            for name, url in adapter.hosts.items()
        }

    def refuse_unknown_hosts(self, adapters: Iterable[Adapter[Any]]) -> None:
        """Raise `Misconfigured` for the URL of a platform, or of a host of one, that is not installed."""
        known = {f"{PREFIX}{adapter.platform}_{name.upper()}_URL" for adapter in adapters for name in adapter.hosts} | {
            variable(field) for field in self.__struct_fields__
        }
        for name in self.hosts:
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
    def allowed_urls(self) -> tuple[str, ...]:
        """The entries of `allow_urls`."""
        return tuple(entry.strip() for entry in self.allow_urls.split(",") if entry.strip())

    @property
    def uploads(self) -> Path:
        """The folder in which uploads are kept. Raises `Misconfigured` where no state folder is set."""
        if not self.state:
            raise Misconfigured(f"{variable('state')} is not set; name a folder for uploads.")
        return Path(self.state) / "uploads"


def variable(field: str) -> str:
    """The environment variable of a field."""
    return _UNPREFIXED.get(field, PREFIX + field.upper())
