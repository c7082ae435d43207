"""The package of a new adapter: the shortest adapter there is, under another name, with what a package needs."""

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

from core.drafting import AnyAdapter

MODEL = "ECHO"
"""The platform whose adapter is copied."""

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "fingerpost-{name}"
version = "0.1.0"
description = "{label} for Fingerpost."
requires-python = ">=3.11"
dependencies = ["fingerpost"]

[project.optional-dependencies]
test = ["pytest"]

[project.entry-points."fingerpost.adapters"]
{name} = "fingerpost_{name}"

[tool.hatch.build.targets.wheel]
packages = ["fingerpost_{name}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["."]
"""

README = """\
# {label} for Fingerpost

In a virtual environment (Python 3.11 or later), with Fingerpost from its source:

    pip install /path/to/fingerpost
    pip install -e ".[test]"
    pytest
    fingerpost adapter check {name}
"""

TESTS = '''\
"""{label} holds what is asked of every adapter."""

from fingerpost import AdapterConformance
from fingerpost_{name} import {label}


class Test{label}(AdapterConformance):
    adapter = {label}()
'''

EXAMPLE = """\
    def example(self, channel_id: str, picture_url: str) -> dict[str, Any]:
        return {"text": "Hello from Fingerpost"}

    async def publish("""


def package(name: str, registry: Mapping[str, AnyAdapter]) -> dict[str, str]:
    """The files of the package by their paths. Raises ValueError for a name that will not do, or is taken."""
    if not re.fullmatch(r"[a-z][a-z0-9]{1,30}", name):
        raise ValueError(f"{name!r} will not do: a name is of 2 to 31 small letters and digits, a letter first.")
    if name.upper() in registry:
        raise ValueError(f"{name.upper()} is served here already; choose another name.")
    home = Path(inspect.getfile(type(registry[MODEL]))).parent
    words = {"name": name, "label": name.capitalize()}
    module = _renamed((home / "__init__.py").read_text(encoding="utf-8"), name)
    module = module.replace("    async def publish(", EXAMPLE).replace("import Annotated\n", "import Annotated, Any\n")
    head = f"{words['label']}: what a post may be, and how it is published."
    _, _, rest = module.partition("\n")
    return {
        "pyproject.toml": PYPROJECT.format(**words),
        "README.md": README.format(**words),
        f"fingerpost_{name}/__init__.py": f'"""{head}"""\n{rest}',
        f"fingerpost_{name}/sandbox.py": _renamed((home / "sandbox.py").read_text(encoding="utf-8"), name),
        f"tests/test_{name}.py": TESTS.format(**words),
    }


def _renamed(text: str, name: str) -> str:
    text = text.replace(f"adapters.{MODEL.lower()}", f"fingerpost_{name}")
    for spelling in (str.upper, str.capitalize, str.lower):
        text = text.replace(spelling(MODEL), spelling(name))
    return text
