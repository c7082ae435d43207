"""How the baselines are served: by uvicorn, with the options of the real server, at a socket that is handed over."""

import asyncio
import socket
import sys
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any

import uvicorn

OPTIONS: dict[str, Any] = {
    "loop": "auto",
    "http": "httptools",
    "ws": "none",
    "lifespan": "off",
    "log_config": None,
    "access_log": False,
    "proxy_headers": False,
    "server_header": False,
    "timeout_graceful_shutdown": 30,
}
"""uvicorn's options, which have to be those of `server.serve`."""


def serve(app: Any, lifespan: AbstractAsyncContextManager[Any] | None = None) -> None:
    """Answer at the listening socket that `--fd` names, for as long as the lifespan lasts."""
    listener = socket.socket(fileno=int(sys.argv[sys.argv.index("--fd") + 1]))
    config = uvicorn.Config(app, **OPTIONS)

    async def run() -> None:
        async with lifespan or nullcontext():
            await uvicorn.Server(config).serve(sockets=[listener])

    with asyncio.Runner(loop_factory=config.get_loop_factory()) as runner:
        runner.run(run())
