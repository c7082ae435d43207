"""The process that opens strangers' files: it takes one task at a time, within bounds of memory and time."""

import contextlib
import os
import resource
import signal
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import IO

import msgspec

from core.errors import InvalidUpload
from core.media.mending import mend
from core.media.probe import probe
from core.media.tasks import READY, Answer, Found, Made, Probing, Refusal, Task

GRACE_SECONDS = 5
"""By how much the process outlives the time of a task, should nobody be left to end it."""

_LOOK_SECONDS = 0.05


def main() -> None:
    """Answer the tasks that come line by line on standard input, until there are no more."""
    memory = int(sys.argv[1])
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    # Libraries that print would print into the answers.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    _bound(memory)
    warnings.simplefilter("ignore")
    if sys.platform == "darwin":
        threading.Thread(target=_watch, args=(memory,), daemon=True).start()
    answers.write(READY)
    answer_all(sys.stdin.buffer, answers)


def answer_all(tasks: IO[bytes], answers: IO[bytes]) -> None:
    """Answer task after task."""
    decoder: msgspec.json.Decoder[Task] = msgspec.json.Decoder(Task)
    for line in tasks:
        task = decoder.decode(line)
        signal.alarm(int(task.seconds) + GRACE_SECONDS)
        answers.write(msgspec.json.encode(carried_out(task)) + b"\n")
        answers.flush()
        signal.alarm(0)


def carried_out(task: Task) -> Answer:
    """The answer to one task; whatever a file makes a library raise is an answer too."""
    try:
        if isinstance(task, Probing):
            return Found(probe=probe(Path(task.path)))
        return Made(fitted=mend(Path(task.source), Path(task.target), task.recipe))
    except InvalidUpload as error:
        return Refusal(code=error.code, message=error.message)
    except MemoryError:
        return Refusal(code="media_too_costly", message="")
    except FileNotFoundError:
        return Refusal(code="not_found", message="")
    except Exception as error:  # noqa: BLE001 - a stranger's file may make a library raise anything
        return Refusal(code="media_unreadable", message="", reason=type(error).__name__)


def _bound(memory: int) -> None:
    """Bounds that the system keeps, as far as it knows them: macOS does not bound memory."""
    bounds = [(resource.RLIMIT_CORE, 0), (resource.RLIMIT_AS, memory), (resource.RLIMIT_FSIZE, memory)]
    for kind, value in bounds:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(kind, (value, value))


def _watch(memory: int) -> None:
    """End the process when it holds more than it may, where the system does not see to it. macOS counts in bytes.

    Elsewhere the figure begins with what the parent held, which says nothing.
    """
    while resource.getrusage(resource.RUSAGE_SELF).ru_maxrss <= memory:
        time.sleep(_LOOK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
