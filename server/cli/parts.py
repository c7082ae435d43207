"""Our own processes on one machine: each begun by a fork, where that is safe, and begun again from nothing."""

import json
import os
import select
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from typing import IO

import msgspec

from core.embedded.fork import Lot, may_fork
from core.embedded.state import State
from core.embedded.supervisor import Child, Supervisor
from core.startup import settling
from server.cli.main import command, main


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A process: the arguments of its command, and the listening sockets that it inherits.

    `again` is added to the arguments when it is begun again. One that `tells` has an option for a pipe to which it
    writes when it is ready.
    """

    arguments: list[str]
    again: list[str] = []
    sockets: list[int] = []
    tells: bool = False


class Parts:
    """The processes that one supervisor watches over for us; their logs are in a folder.

    Five Pythons that import the same at the same time take five times as long on a small machine: a fork brings what
    is imported already. One that has ended begins again in a Python of its own, as by then we have done more than
    import. All of them share one environment, which `begin` gives.
    """

    def __init__(self, supervisor: Supervisor, logs: Path) -> None:
        self._supervisor = supervisor
        self._logs = logs
        self._parts: dict[str, Part] = {}
        self._waiting: dict[str, IO[str]] = {}
        self._pipes = ExitStack()
        self._environment: Mapping[str, str] = {}

    @property
    def running(self) -> list[Child]:
        """Those that run."""
        return [child for child in self._supervisor.running if child.name in self._parts]

    def warm(self, name: str, part: Part) -> None:
        """Have a process import what is its own, where it can be forked; `begin` lets it go on."""
        if not may_fork():
            return
        reader, writer = os.pipe()
        self._waiting[name] = self._pipes.enter_context(os.fdopen(writer, "w"))
        self._parts[name] = part
        try:
            run = partial(_run_when_told, reader, part.arguments)
            self._fork(name, part.arguments, [*part.sockets, reader], run, os.environ)
        finally:
            os.close(reader)

    def begin(self, parts: Mapping[str, Part], environment: Mapping[str, str]) -> dict[str, Callable[[], bool]]:
        """Let all of them begin; for each that tells, a question whether it has, which waits a little."""
        self._environment = environment
        self._parts.update(parts)
        telling = {}
        for name, part in parts.items():
            if name in self._waiting:
                # One that has ended already is missed when it is waited for.
                with suppress(BrokenPipeError), self._waiting.pop(name) as told:
                    json.dump(dict(environment), told)
            elif part.tells:
                telling[name] = self._begin_telling(name, part)
            else:
                self._launch(name, part.arguments, part.sockets)
        return telling

    def begin_again(self, name: str) -> None:
        """Begin one again that has ended."""
        part = self._parts[name]
        self._spawn(name, [*part.arguments, *part.again], part.sockets)

    def close(self) -> None:
        """Let go of what they were to be told by, and to tell by."""
        self._pipes.close()

    def _begin_telling(self, name: str, part: Part) -> Callable[[], bool]:
        reader, writer = os.pipe()
        self._pipes.callback(os.close, reader)
        try:
            self._launch(name, [*part.arguments, "--ready-fd", str(writer)], [*part.sockets, writer])
        finally:
            os.close(writer)
        return partial(_has_told, reader)

    def _launch(self, name: str, arguments: list[str], descriptors: list[int]) -> None:
        if not may_fork():
            self._spawn(name, arguments, descriptors)
            return
        with settling():
            # Two of them come from one module.
            command(arguments[0])
        self._fork(name, arguments, descriptors, partial(main, args=arguments), self._environment)

    def _fork(
        self,
        name: str,
        arguments: list[str],
        descriptors: list[int],
        run: Callable[[], object],
        environment: Mapping[str, str],
    ) -> None:
        log = self._open_log(name)
        try:
            lot = Lot(title=_argv(arguments), env=environment, log=log, pass_fds=descriptors)
            self._supervisor.fork(name, run, lot)
        finally:
            os.close(log)

    def _spawn(self, name: str, arguments: list[str], descriptors: list[int]) -> None:
        log = self._open_log(name)
        argv = _argv(arguments)
        try:
            self._supervisor.spawn(name, argv, env=self._environment, pass_fds=descriptors, stdout=log, stderr=log)
        finally:
            os.close(log)

    def _open_log(self, name: str) -> int:
        self._logs.mkdir(mode=0o700, exist_ok=True)
        return State(self._logs).open_log(f"{name}.log")


def _argv(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "server.cli", *arguments]


def _run_when_told(pipe: int, arguments: list[str]) -> None:
    """Import a command, and run it in the environment that comes through a pipe; do nothing where none comes."""
    with settling():
        command(arguments[0])
    with os.fdopen(pipe) as word:
        told = word.read()
    if told:
        os.environ.clear()
        os.environ.update(json.loads(told))
        main(args=arguments)


def _has_told(pipe: int) -> bool:
    heard, _, _ = select.select([pipe], [], [], 0.05)
    return bool(heard and os.read(pipe, 16))
