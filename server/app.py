"""The composition root: everything that the HTTP API is made of, put together in one place."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import redis.asyncio
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.middleware import DefineMiddleware

from core.accounts.accounts import Accounts
from core.database.notices import Notices
from core.database.pool import open_pool
from core.guard import Guard
from core.http import open_client, open_transport
from core.ledger.control import Control
from core.posts.posts import Posts
from core.registry import Registry
from core.settings import Settings
from core.tenants.tenants import Tenants
from core.uploads.storage import FolderStorage, Storage
from core.uploads.uploads import Uploads
from core.vault import Vault
from core.webhooks.endpoints import Endpoints
from server import openapi
from server.access import AccessLog
from server.auth import OPEN, KeyAuthentication
from server.bodies import MAX_BYTES
from server.deliveries import DeliveryController
from server.health import Pulse, api_health, health
from server.posts import PostController
from server.problems import answer
from server.uploads import UploadController
from server.webhook_endpoints import EndpointController

POOL_SIZE = 10
"""How many connections to PostgreSQL one server process keeps at most."""

PATIENCE_SECONDS = 10.0
"""How long a start, and later a request, waits for PostgreSQL before it is told that it is away."""

ROOMS = ("tenants", "posts", "control", "uploads", "endpoints", "pulse", "registry")
"""What handlers may ask for by these names."""


def create_app(settings: Settings, registry: Registry) -> Litestar:
    """The API over the adapters of a registry. Connects when it starts, lets go when it stops.

    Raises `Misconfigured`, here for a setting and at the start for a database that is not to be reached.
    """

    guard = Guard(settings.allow_urls.split(","))
    vault = Vault.parse(settings.master_keys)
    storage = FolderStorage(settings.uploads)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app.state, stack, settings, registry, guard, vault, storage)
            yield

    app = Litestar(
        route_handlers=[PostController, DeliveryController, UploadController, EndpointController, health, api_health],
        lifespan=[lifespan],
        dependencies={name: Provide(_room(name), sync_to_thread=False) for name in ROOMS},
        middleware=[DefineMiddleware(KeyAuthentication, exclude_from_auth_key=OPEN)],
        exception_handlers={Exception: answer},
        request_max_body_size=MAX_BYTES,
        openapi_config=openapi.config(),
        logging_config=None,
        debug=False,
    )
    openapi.complete(app, registry)
    app.asgi_handler = AccessLog(app.asgi_handler)
    return app


async def _open(
    state: State,
    stack: AsyncExitStack,
    settings: Settings,
    registry: Registry,
    guard: Guard,
    vault: Vault,
    storage: Storage,
) -> None:
    """Open what the handlers work with; the stack closes it, the last first."""
    opening = open_pool(
        settings.database_url, size=POOL_SIZE, name="fingerpost serve", patience_seconds=PATIENCE_SECONDS
    )
    pool = await stack.enter_async_context(opening)
    client = await stack.enter_async_context(open_client(open_transport(guard=guard)))
    cache = redis.asyncio.from_url(settings.redis_url)
    stack.push_async_callback(cache.aclose)
    notices = Notices(pool)
    stack.push_async_callback(notices.aclose)
    state.registry = registry
    state.pulse = Pulse(pool, cache)
    state.tenants = Tenants(pool)
    state.uploads = Uploads(pool, storage, client)
    state.control = Control(pool, notices, patience=settings.max_delay)
    state.endpoints = Endpoints(pool, vault, guard)
    state.posts = Posts(
        pool,
        registry,
        accounts=Accounts(pool, vault),
        uploads=state.uploads,
        tenants=state.tenants,
        notices=notices,
        max_delay=settings.max_delay,
    )
    stack.push_async_callback(state.posts.aclose)


def _room(name: str) -> Any:
    def provide(state: State) -> Any:
        return state[name]

    return provide
