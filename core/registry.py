"""The registry: every adapter that is installed, by platform, and what kept one from loading."""

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

import pluggy

from core import hook
from core.adapter import Adapter

if TYPE_CHECKING:
    from core.sandbox import Sandbox

AnyAdapter = Adapter[Any]


class Registry(Mapping[str, AnyAdapter]):
    """Adapters by platform name. A plug-in that is broken is in `broken` with the reason, and harms no other."""

    def __init__(self, plugins: Mapping[str, object] | None = None) -> None:
        self._manager = pluggy.PluginManager(hook.PROJECT)
        self._manager.add_hookspecs(hook)
        self._adapters: dict[str, AnyAdapter] = {}
        self.broken: dict[str, str] = {}
        for name, plugin in (plugins or {}).items():
            self._enter(name, plugin)

    @classmethod
    def installed(cls) -> "Registry":
        """Everything behind the entry-point group `fingerpost.adapters`, ours through the same door as a stranger's."""
        registry = cls()
        for entry in sorted(entry_points(group=hook.GROUP), key=lambda entry: entry.name):
            registry._load(entry)
        return registry

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
            found = self._manager.subset_hook_caller("fingerpost_adapters", self._others(name))()
            for adapter in (adapter for adapters in found for adapter in adapters):
                self._add(adapter)
        except Exception as error:  # noqa: BLE001 - a stranger's module may raise anything
            self._manager.unregister(plugin)
            self.broken[name] = f"{type(error).__name__}: {error}"

    def _others(self, name: str) -> list[object]:
        return [plugin for other, plugin in self._manager.list_name_plugin() if other != name and plugin is not None]

    def _add(self, adapter: AnyAdapter) -> None:
        for wanted in ("platform", "label", "certainty", "hosts"):
            if not hasattr(adapter, wanted):
                raise TypeError(f"{type(adapter).__name__} declares no `{wanted}`")
        if adapter.platform in self._adapters:
            holder = type(self._adapters[adapter.platform])
            raise ValueError(f"{adapter.platform} is already served by {holder.__module__}.{holder.__qualname__}")
        self._adapters[adapter.platform] = adapter

    def sandboxes(self) -> "dict[str, type[Sandbox]]":
        """The sandbox of each platform that ships one."""
        found: Iterable[Iterable[type[Sandbox]]] = self._manager.hook.fingerpost_sandboxes()
        return {sandbox.platform: sandbox for group in found for sandbox in group}

    def __getitem__(self, platform: str) -> AnyAdapter:
        return self._adapters[platform]

    def __iter__(self) -> Iterator[str]:
        return iter(self._adapters)

    def __len__(self) -> int:
        return len(self._adapters)
