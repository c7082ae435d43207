"""The page for authors of adapters, from the public face, its docstrings and the hooks."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import fingerpost
from core import hook
from docs.markdown import code, first_sentence, listed, page, table

HEAD = f"""\
An adapter imports from `fingerpost` and nothing else of ours. It enters by the entry-point group `{hook.GROUP}`, ours
through the same door as a stranger's: an entry names a module, and every hook that the module implements is called.
The shortest complete one stands in the [README](../README.md#writing-an-adapter).
"""


ATTRIBUTES = ("platform", "label", "certainty", "hosts", "limits", "quotas", "fills")
NAMES = fingerpost.__all__


def adapters_page() -> str:
    """The page."""
    hooks = [
        [code(name), first_sentence(found.__doc__)]
        for name, found in sorted(vars(hook).items())
        if name.startswith("fingerpost_")
    ]
    types = dict(_types())
    names = [[code(name), types.get(name) or first_sentence(getattr(fingerpost, name).__doc__)] for name in NAMES]
    return page(
        "Writing an adapter",
        HEAD,
        "## Hooks\n",
        table(("hook", "answers"), hooks),
        "## Names\n",
        table(("name", "what it is"), names),
        "## What an adapter may override\n",
        f"Beside its class attributes {listed(ATTRIBUTES)}:\n",
        table(("method", "what it does"), _methods()),
    )


def _types() -> Iterator[tuple[str, str]]:
    """Names of the face that are neither class nor function bear their words in a string below them."""
    for path in sorted(Path(inspect.getfile(hook)).parent.rglob("*.py")):
        for statement, below in pairwise(ast.parse(path.read_text()).body):
            match statement, below:
                case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(words))):
                    if name in NAMES:
                        yield name, first_sentence(words)


def _methods() -> list[list[str]]:
    return [
        [code(name), first_sentence(found.__doc__)]
        for name, found in vars(fingerpost.Adapter).items()
        if inspect.isfunction(found) and not name.startswith("_")
    ]
