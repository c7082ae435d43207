"""A log is of JSON, and for people where it goes to a terminal; ids are written as ids in both."""

import json
import os
import subprocess
import sys

ID = "01a231bb-f1eb-7db3-80ac-fd202426770c"
LOGGING = f"""
from uuid import UUID
import structlog
from core.logs import configure
configure()
structlog.get_logger().info("request", key=UUID("{ID}"))
"""


def test_a_file_gets_an_object_a_line() -> None:
    done = subprocess.run([sys.executable, "-c", LOGGING], capture_output=True, check=True)
    line = json.loads(done.stderr)
    assert (line["event"], line["key"], line["level"]) == ("request", ID, "info")


def test_a_terminal_gets_words() -> None:
    ours, theirs = os.openpty()
    subprocess.run([sys.executable, "-c", LOGGING], stderr=theirs, check=True)
    os.close(theirs)
    words = os.read(ours, 10_000).decode()
    os.close(ours)
    assert "request" in words
    assert ID in words
    assert "UUID(" not in words
