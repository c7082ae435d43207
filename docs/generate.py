"""`python -m docs.generate [FOLDER]`: writes the generated pages of the handbook."""

import sys
from pathlib import Path

from core.registry import Registry
from docs import adapters, bundle_social, commands, errors, events, platforms, sandboxes, settings, states

FOLDER = Path(__file__).parent


def pages(registry: Registry) -> dict[str, str]:
    """Every generated page by its path in the handbook. The same code gives the same pages."""
    return {
        "adapters.md": adapters.adapters_page(),
        "bundle-social.md": bundle_social.bundle_social_page(registry),
        "commands.md": commands.commands_page(),
        "errors.md": errors.errors_page(registry),
        "events.md": events.events_page(),
        "sandboxes.md": sandboxes.sandboxes_page(registry),
        "settings.md": settings.settings_page(registry),
        "states.md": states.states_page(),
        **{f"platforms/{name.lower()}.md": platforms.platform_page(adapter) for name, adapter in registry.items()},
    }


def served() -> dict[str, str]:
    """What the server itself shows of the handbook, by its path in the folder of the program."""
    return {"server/reference/codes.json": errors.codes_file()}


def main(folder: Path, program: Path) -> None:
    """Write all pages below `folder`, and what the server shows of them below `program`."""
    for name, text in pages(Registry.installed()).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    for name, text in served().items():
        path = program / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    elsewhere = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    main(elsewhere or FOLDER, elsewhere or FOLDER.parent)
