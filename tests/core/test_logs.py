"""A log is of JSON, and for people where it goes to a terminal; ids are written as ids in both."""

import json
import os
import subprocess
import sys
from datetime import datetime

import pytest

ID = "01a231bb-f1eb-7db3-80ac-fd202426770c"
LOGGING = f"""
from uuid import UUID
import structlog
from core.logs import configure
configure()
structlog.get_logger().info("request", key=UUID("{ID}"))
"""


DECLARED = """
import sys
from uuid import UUID
from msgspec import UNSET, UnsetType
from core import logs
class Request(logs.Line, tag="request", kw_only=True):
    path: str = ""
    key: UUID
    organization: UUID | UnsetType = UNSET
"""
WRITING = f"""
{DECLARED}
logs.configure(*sys.argv[1:])
logs.write(Request(key=UUID("{ID}")))
"""


@pytest.mark.parametrize("code", [LOGGING, WRITING])
def test_a_file_gets_an_object_a_line(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    line = json.loads(done.stderr)
    assert (line["event"], line["key"], line["level"]) == ("request", ID, "info")
    assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
    assert "organization" not in line


@pytest.mark.parametrize("code", [LOGGING, WRITING])
def test_a_terminal_gets_words(code: str) -> None:
    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-c", code], stderr=theirs, check=True)
    os.close(theirs)
    words = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "request" in words
    assert ID in words
    assert "UUID(" not in words
    assert "UNSET" not in words


def test_a_line_below_the_level_is_not_written() -> None:
    done = subprocess.run([sys.executable, "-c", WRITING, "warning"], capture_output=True, check=True)
    assert done.stderr == b""


def test_what_no_utf8_can_write_is_written_all_the_same() -> None:
    code = f"""
{DECLARED}
logs.configure()
logs.write(Request(key=UUID("{ID}"), path="/\\udc80"))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    line = json.loads(done.stderr)
    assert (line["event"], line["path"]) == ("request", "/\udc80")
