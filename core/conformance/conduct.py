"""Checks of conduct: no secret gets out, nothing blocks the event loop, and nothing is done that the session does."""

import ast
import asyncio
import importlib.util
import logging
import socket
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import msgspec

from core.conformance.declaration import Tried
from core.conformance.subject import NotExamined, Subject
from core.conformance.trial import Delivery, Trial, raised, trial

FORBIDDEN = {
    "core": "an adapter imports from `fingerpost` alone",
    "logging": "the engine logs",
    "os": "an adapter reads no environment and no files",
    "requests": "it would block the event loop; use session.http",
    "socket": "use session.http",
    "subprocess": "an adapter starts no programs",
    "threading": "an adapter is asynchronous",
    "time": "clocks are handed in, and nobody sleeps",
    "urllib.request": "it would block the event loop; use session.http",
}
"""Modules that an adapter has no use for, and why."""

SLEEPS = ("asyncio.sleep", "time.sleep")


async def keeps_secrets(subject: Subject) -> AsyncIterator[Tried]:
    """Tokens are in nothing that is stored, shown or logged, whatever fails."""
    failures: tuple[tuple[str, dict[str, Any]], ...] = (
        ("slow", {"seconds": 0}), ("error", {"status": 400}), ("error", {"status": 500}), ("garbage", {}),
    )  # fmt: skip
    for kind, more in failures:
        async with trial(subject) as here:
            secrets = [token for token in (here.seed.access_token, here.seed.refresh_token) if token]
            if here.seed.external_user in secrets:
                raise NotExamined("the sandbox's tokens are names, and no secrets")
            with _logged() as lines:
                here.fault(kind, **more)
                delivery = Delivery(here, here.draft(here.blocks()[-1]), "key")
                error = await raised(delivery.attempt)
            told = {
                "a log": "\n".join(lines),
                "the answers of its steps": str(delivery.notebook.answers),
                "an error": f"{error!r} {getattr(error, 'hint', '')}" if error else "",
                "the account": str(msgspec.to_builtins(here.account)),
            }
            for place, text in told.items():
                yield f"a token is in {place}" if any(secret in text for secret in secrets) else None


async def does_not_block(subject: Subject) -> AsyncIterator[Tried]:
    """A publish calls nothing that stops the event loop: no sleep, no blocking socket, no program."""
    async with trial(subject) as here:
        with _watched() as found:
            await Delivery(here, here.draft(here.blocks()[-1]), "key").to_the_end()
            await _read(here)
        yield "; ".join(sorted(set(found))) or None


async def leaves_to_the_session(subject: Subject) -> AsyncIterator[Tried]:
    """Its source neither sleeps, logs, reads the environment nor goes past the public face."""
    for path in _sources(subject):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for name in sorted(_imports(tree)):
            why = next((why for module, why in FORBIDDEN.items() if f"{name}.".startswith(f"{module}.")), None)
            yield f"{path.name} imports {name}: {why}" if why else None
        for name in sorted(ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)):
            yield f"{path.name} calls {name}(): answer Pending instead" if name in SLEEPS else None


async def _read(here: Trial) -> None:
    """What is read beside a publish."""
    session = here.session(Delivery(here, here.draft(here.blocks()[-1]), "other").notebook, {})
    await here.adapter.profile(session)
    await here.adapter.channels(session)


def _sources(subject: Subject) -> Iterator[Path]:
    """The modules of the adapter's package, its sandbox and its tests aside."""
    module = type(subject.adapter).__module__
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return
    home = Path(spec.origin)
    package = module.rpartition(".")[0] if spec.submodule_search_locations is None else module
    if "." not in package and spec.submodule_search_locations is None:
        yield home
        return
    aside = subject.adapter.sandbox.partition(":")[0]
    for path in sorted(home.parent.rglob("*.py")):
        inside = ".".join([package, *path.relative_to(home.parent).with_suffix("").parts]).removesuffix(".__init__")
        if not (aside and f"{inside}.".startswith(f"{aside}.")):
            yield path


def _imports(tree: ast.AST) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


@contextmanager
def _logged() -> Iterator[list[str]]:
    """Every line that is logged meanwhile, by whomever, at any level."""
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            # Our own logs begin at warnings for libraries: what is below is never written.
            lines.append(record.getMessage())

    ear, root = Ear(level=logging.WARNING), logging.getLogger()
    root.addHandler(ear)
    try:
        yield lines
    finally:
        root.removeHandler(ear)


@contextmanager
def _watched() -> Iterator[list[str]]:
    """What blocks the event loop of this thread meanwhile."""
    found: list[str] = []
    thread = threading.get_ident()

    def told(name: str, call: Callable[..., Any], blocks: Callable[[Any], bool]) -> Callable[..., Any]:
        def watched(*args: Any, **options: Any) -> Any:
            if threading.get_ident() == thread and blocks(args[0] if args else None):
                found.append(f"{name} was called in the event loop")
            return call(*args, **options)

        return watched

    def always(_: Any) -> bool:
        return True

    def is_blocking(opened: socket.socket) -> bool:
        return opened.gettimeout() != 0

    assert asyncio.get_running_loop()
    with ExitStack() as stack:
        watched: list[tuple[Any, str, Callable[[Any], bool]]] = [
            (time, "sleep", always), (socket, "getaddrinfo", always), (subprocess, "Popen", always),
            *((socket.socket, name, is_blocking) for name in ("connect", "recv", "send", "sendall")),
        ]  # fmt: skip
        for home, name, blocks in watched:
            label = f"{home.__name__}.{name}"
            stack.enter_context(patch.object(home, name, told(label, getattr(home, name), blocks)))
        yield found
