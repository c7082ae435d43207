"""The registry: every adapter that is installed, by platform, and what kept one from loading."""

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy
import structlog

from core import hook
from core.adapter import Adapter
from core.connect import Form, OAuth, ServerOAuth
from core.declared import PLATFORM, certainty, names

if TYPE_CHECKING:
    from core.sandbox import Sandbox

AnyAdapter = Adapter[Any]


class Registry(Mapping[str, AnyAdapter]):
    """Adapters by platform name. A plug-in that is broken is in `broken` with the reason, and harms no other.

    `vocabulary` has the platforms that clients know by name, served or not, as plug-ins tell them.
    """

    def __init__(self, plugins: Mapping[str, object] | None = None) -> None:
        self._manager = pluggy.PluginManager(hook.PROJECT)
        self._manager.add_hookspecs(hook)
        self._adapters: dict[str, AnyAdapter] = {}
        self.broken: dict[str, str] = {}
        self.vocabulary: frozenset[str] = frozenset()
        for name, plugin in (plugins or {}).items():
            self._enter(name, plugin)

    @classmethod
    def installed(cls) -> "Registry":
        """Everything behind the entry-point group `fingerpost.adapters`, ours through the same door as a stranger's."""
        registry = cls()
        for entry in sorted(entry_points(group=hook.GROUP), key=lambda entry: entry.name):
            registry._load(entry)
        return registry

    def tell_broken(self) -> None:
        """Log each plug-in that is broken, so that whoever starts a process hears of it."""
        for name, reason in self.broken.items():
            structlog.get_logger(__name__).error("plugin_broken", plugin=name, reason=reason)

    def _load(self, entry: EntryPoint) -> None:
        try:
            plugin = entry.load()
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
            self.broken[entry.name] = f"could not be imported: {type(error).__name__}: {error}"
        else:
            self._enter(entry.name, plugin)

    def _enter(self, name: str, plugin: object) -> None:
        try:
            self._manager.register(plugin, name)
            known = _named(self._call("fingerpost_vocabulary", name))
            self._adapters |= self._checked(self._call("fingerpost_adapters", name))
            self.vocabulary |= known
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
            self.broken[name] = f"{type(error).__name__}: {error}"
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)

    def _call(self, hook_name: str, name: str) -> list[Any]:
        """What one plug-in alone answers to a hook."""
        others = [plugin for other, plugin in self._manager.list_name_plugin() if other != name and plugin is not None]
        answers: Iterable[Iterable[Any]] = self._manager.subset_hook_caller(hook_name, others)()
        return [item for answer in answers for item in answer]

    def _checked(self, brought: Iterable[AnyAdapter]) -> dict[str, AnyAdapter]:
        """The adapters by platform; raises for a declaration that is not complete or a platform that is taken."""
        checked: dict[str, AnyAdapter] = {}
        for adapter in brought:
            for wanted in ("platform", "label", "certainty", "hosts"):
                if not hasattr(adapter, wanted):
                    raise TypeError(f"{type(adapter).__name__} declares no `{wanted}`")
            if faults := [fault for fault in (*names(adapter), *certainty(adapter)) if fault is not None]:
                raise TypeError(f"{type(adapter).__name__}: {'; '.join(faults)}")
            _refuse_unsound(adapter)
            holder = self._adapters.get(adapter.platform) or checked.get(adapter.platform)
            if holder is not None:
                kind = type(holder)
                raise ValueError(f"{adapter.platform} is already served by {kind.__module__}.{kind.__qualname__}")
            checked[adapter.platform] = adapter
        return checked

    def sandboxes(self) -> "dict[str, type[Sandbox]]":
        """The sandbox of each platform that ships one."""
        found: dict[str, type[Sandbox]] = {}
        for platform, adapter in self._adapters.items():
            try:
                if (sandbox := sandbox_of(adapter)) is not None:
                    found[platform] = sandbox
            except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
                self.broken[platform] = f"its sandbox could not be loaded: {type(error).__name__}: {error}"
        return found

    def __getitem__(self, platform: str) -> AnyAdapter:
        return self._adapters[platform]

    def __iter__(self) -> Iterator[str]:
        return iter(self._adapters)

    def __len__(self) -> int:
        return len(self._adapters)


def sandbox_of(adapter: AnyAdapter) -> "type[Sandbox] | None":
    """The sandbox that an adapter names, imported now; None where it names none."""
    if not adapter.sandbox:
        return None
    module, _, name = adapter.sandbox.partition(":")
    found: type[Sandbox] = getattr(import_module(module), name)
    return found


def _named(names: list[Any]) -> frozenset[str]:
    """The names of a vocabulary; raises TypeError for what is none."""
    if odd := [name for name in names if not isinstance(name, str) or not PLATFORM.fullmatch(name)]:
        raise TypeError(f"its vocabulary has {odd[0]!r}, no name of a platform in CAPITALS")
    return frozenset(names)


def _refuse_unsound(adapter: AnyAdapter) -> None:
    """Raise TypeError for a way of connecting that names what is not there."""
    way, name = adapter.connect, type(adapter).__name__
    oauth, form = (way.oauth, way.form) if isinstance(way, ServerOAuth) else (way, way)
    if isinstance(oauth, OAuth):
        for url in (oauth.authorize_url, oauth.token_url):
            try:
                url.format_map(adapter.hosts)
            except (KeyError, ValueError, IndexError):
                raise TypeError(f"{name} has no such host as {url!r} names in braces") from None
    if isinstance(form, Form):
        names = [field.name for field in form.fields]
        if unknown := {field.host for field in form.fields if field.host} - set(adapter.hosts):
            raise TypeError(f"{name} has no such host as a field of its form is for: {', '.join(unknown)}")
        if not names or len(set(names)) < len(names) or "state" in names:
            raise TypeError(f"{name} declares a form without fields, or with names that are taken")
    if isinstance(way, ServerOAuth) and not any(field.host == "api" for field in way.fields):
        raise TypeError(f"{name} declares OAuth at a server, and no field that asks for it")
