"""`python -m docs.generate [FOLDER]`: writes the generated pages of the handbook."""

import sys
from pathlib import Path

from core.registry import Registry
from docs import adapters, commands, errors, platforms, settings, states

FOLDER = Path(__file__).parent


def pages(registry: Registry) -> dict[str, str]:
    """Every generated page by its path in the handbook. The same code gives the same pages."""
    return {
        "adapters.md": adapters.adapters_page(),
        "commands.md": commands.commands_page(),
        "errors.md": errors.errors_page(registry),
        "settings.md": settings.settings_page(registry),
        "states.md": states.states_page(),
        **{f"platforms/{name.lower()}.md": platforms.platform_page(adapter) for name, adapter in registry.items()},
    }


def main(folder: Path) -> None:
    """Write all pages below `folder`."""
    for name, text in pages(Registry.installed()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
