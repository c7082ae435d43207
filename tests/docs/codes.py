"""Every error code that stands in the program's source."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
ROOMS = ("core", "adapters", "server", "workers")


def codes_in_source() -> dict[str, set[str]]:
    """Each code, or the pattern of one that is put together, with the files in which it stands.

    Found are values of `code` wherever something of that name is assigned, passed by name, or passed in the
    place of a parameter or field of that name; and of the table of statuses without a class.
    """
    found: dict[str, set[str]] = {}
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            if "sandbox" not in path.parts and path.name != "sandbox.py":
                for code in _codes(ast.parse(path.read_text())):
                    found.setdefault(code, set()).add(str(path.relative_to(ROOT)))
    return found


def _codes(tree: ast.Module) -> Iterator[str]:
    places = dict(_places(tree))
    for node in ast.walk(tree):
        match node:
            case ast.Assign(targets=[ast.Name(id="code")], value=value):
                yield from _texts(value)
            case ast.Assign(targets=[ast.Name(id="_CODES")], value=ast.Dict(values=values)):
                for value in values:
                    yield from _texts(value)
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name), args=args, keywords=keywords):
                for keyword in keywords:
                    if keyword.arg == "code":
                        yield from _texts(keyword.value)
                if name in places and len(args) > places[name]:
                    yield from _texts(args[places[name]])
            case ast.FunctionDef(args=ast.arguments(kwonlyargs=names, kw_defaults=defaults)):
                for name_, default in zip(names, defaults, strict=True):
                    if name_.arg == "code" and default is not None:
                        yield from _texts(default)


def _places(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Functions with a parameter, and classes with a field, called `code`, and in which place it is."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                names = [argument.arg for argument in node.args.args]
            case ast.ClassDef(name=name):
                targets = [line.target for line in node.body if isinstance(line, ast.AnnAssign)]
                names = [target.id for target in targets if isinstance(target, ast.Name)]
            case _:
                continue
        if "code" in names:
            yield name, names.index("code")


def _texts(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.Constant(value=str(text)):
            yield re.escape(text)
        case ast.IfExp(body=body, orelse=orelse):
            yield from _texts(body)
            yield from _texts(orelse)
        case ast.JoinedStr(values=parts):
            yield "".join(re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in parts)
