"""A program of its own that holds embedded servers until it is told to stop, so that a test can kill it.

It prints one line of JSON when they are ready, or `{"refused": words}`. Stops when its standard input ends, or by a
signal. `--uid` becomes an ordinary user first, `--drop` gives capabilities up for good.
"""

import argparse
import ctypes
import json
import os
import sys
from pathlib import Path

import psycopg
import redis

from core.embedded.servers import EmbeddedServers
from core.embedded.supervisor import Supervisor, heed_first_signal
from core.errors import Misconfigured

PR_CAPBSET_DROP = 24


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("state", type=Path)
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int, default=12345)
    parser.add_argument("--drop", type=int, nargs="*", default=[])
    given = parser.parse_args()
    if given.drop:
        for capability in given.drop:
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
        os.execv(sys.executable, [sys.executable, __file__, str(given.state)])  # what was dropped is gone after it
    if given.uid is not None:
        # All that is needed has been imported: the new user may not be able to read the interpreter's files.
        os.setgroups([])
        os.setgid(given.gid)
        os.setuid(given.uid)
    heed_first_signal()
    try:
        hold(given.state)
    except Misconfigured as error:
        print(json.dumps({"refused": str(error)}), flush=True)
    except KeyboardInterrupt:
        pass


def hold(state: Path) -> None:
    supervisor = Supervisor()
    with EmbeddedServers(state, durable=False, supervisor=supervisor) as servers:
        supervisor.spawn("bystander", ["/bin/sleep", "600"], env={})
        with psycopg.connect(servers.database_url) as connection, redis.Redis.from_url(servers.redis_url) as client:
            connection.execute("create table if not exists visit (id int generated always as identity)")
            connection.execute("insert into visit default values")
            row = connection.execute("select count(*) from visit").fetchone()
            assert row is not None
            ready = {
                "database_url": servers.database_url,
                "redis_url": servers.redis_url,
                "pids": [child.pid for child in supervisor.running],
                "visits": [row[0], client.incr("visits")],
            }
        print(json.dumps(ready), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
