"""The baselines of accepting: a small application on the same server that echoes a body, or inserts it as it is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from litestar import Litestar, get, post
from litestar.datastructures import State
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from bench.baselines.serving import serve
from core.database.pool import open_pool
from core.database.queries import queries
from core.settings import Settings
from server.app import POOL_SIZE


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


@post("/echo", status_code=200)
async def echo(data: dict[str, Any]) -> dict[str, Any]:
    return data


@post("/insert", status_code=200)
async def insert(data: dict[str, Any], state: State) -> dict[str, Any]:
    pool: AsyncConnectionPool[AsyncConnection[Any]] = state.pool
    async with pool.connection() as connection:
        await connection.execute(queries("bench")["insert_body"], {"id": uuid4(), "body": Jsonb(data)})
    return data


def create_app(database_url: str) -> Litestar:
    """The application; its table is made when it starts."""

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with open_pool(database_url, size=POOL_SIZE, name="bench plain") as pool:
            async with pool.connection() as connection:
                await connection.execute(queries("bench")["make_bodies"])
            app.state.pool = pool
            yield

    return Litestar([health, echo, insert], lifespan=[lifespan], openapi_config=None, logging_config=None, debug=False)


def main() -> None:
    """Serve it."""
    app = create_app(Settings.read().database_url)
    serve(app, app.lifespan())


if __name__ == "__main__":
    main()
