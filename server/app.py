"""The composition root: everything that the HTTP API is made of, put together in one place."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from random import Random
from typing import Any

import httpx
import redis.asyncio
from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ControllerRouterHandler
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from core.accounts.accounts import Accounts
from core.accounts.apps import Apps
from core.accounts.connecting import Connector
from core.accounts.links import Links
from core.accounts.roster import Roster
from core.accounts.server_apps import ServerApps
from core.accounts.upkeep import Upkeep
from core.accounts.visits import Visits
from core.changes.changes import Changes
from core.changes.channels import Channels
from core.changes.published import PublishedPosts
from core.changes.sections import Sections
from core.database.notices import Notices
from core.database.pool import open_pool
from core.events.feed import Feed
from core.governor.foresight import Foresight
from core.governor.governor import Governor
from core.governor.journal import Journal
from core.governor.meter import RateMeter
from core.governor.passages import Passages
from core.governor.tally import Tally
from core.guard import Guard
from core.http import open_client, open_transport
from core.insights.statistics import Statistics
from core.ledger.control import Control
from core.ledger.verdicts import SETTLE
from core.outbound import open_platforms
from core.posts.bulk import Bulk
from core.posts.changing import Changing
from core.posts.dry_run import DryRuns
from core.posts.posts import Posts
from core.posts.reconnecting import Reconnecting
from core.posts.usage import Usage
from core.registry import Registry
from core.settings import Settings
from core.tenants.bounds import Bounds
from core.tenants.keyring import Keyring
from core.tenants.keys import ApiKeys
from core.tenants.tenants import Tenants
from core.uploads.opening import open_media
from core.uploads.storage import Storage, open_storage
from core.vault import Vault
from core.vault.register import check_keys
from core.webhooks.endpoints import Endpoints
from core.webhooks.log import WebhookLog
from server import openapi
from server.access import AccessLog
from server.analytics import AnalyticsController
from server.apps import AppController
from server.bodies import MAX_BYTES
from server.browsers import compression, cors
from server.bulk import BulkController
from server.caller_limit import APP as CALLS
from server.caller_limit import CallerLimit
from server.channels import ChannelController, SectionController
from server.connecting import ConnectController
from server.deliveries import DeliveryController
from server.door import Door
from server.dry_runs import DryRunController
from server.entity_tags import Tagged
from server.events import EventController
from server.health import Pulse, api_health, health
from server.keys import KeyController
from server.live_posts import live_posts
from server.media import media_routes
from server.metrics import metrics
from server.not_offered import not_offered
from server.organization import OrganizationController
from server.platforms import platform_of, platforms
from server.portal.routes import PortalController, open_portal
from server.posts import PostController
from server.problems import answer
from server.published import PublishedController
from server.rate_meters import RateMeterController
from server.reconnecting import ReconnectController
from server.reference.routes import ReferenceController
from server.reviews import ReviewController
from server.social_accounts import SocialAccountController
from server.teams import TeamController
from server.uploads import UploadController
from server.usage import UsageController
from server.webhook_endpoints import EndpointController
from server.webhook_messages import MessageController

Pool = AsyncConnectionPool[AsyncConnection[Any]]

POOL_SIZE = 10
"""How many connections to PostgreSQL one server process keeps at most."""

PATIENCE_SECONDS = 10.0
"""How long a start, and later a request, waits for PostgreSQL before it is told that it is away."""

ROOMS = (
    *("tenants", "api_keys", "keyring", "roster", "control", "pulse", "registry"),
    *("posts", "changing", "bulk", "dry_runs"),
    *("endpoints", "webhook_log", "feed"),
    *("uploads", "slots", "renditions", "links"),
    *("rate_meter", "usage"),
    *("channels", "sections", "published", "statistics", "bounds"),
    *("accounts", "apps", "connect_links", "connector", "upkeep", "reconnecting", "portal", "settings"),
)
"""What handlers may ask for by these names."""

CONTROLLERS = (
    OrganizationController,
    UsageController,
    TeamController,
    KeyController,
    PostController,
    ReviewController,
    DryRunController,
    BulkController,
    ReconnectController,
    DeliveryController,
    PublishedController,
    AnalyticsController,
    UploadController,
    SocialAccountController,
    ChannelController,
    SectionController,
    ConnectController,
    AppController,
    EndpointController,
    MessageController,
    EventController,
    RateMeterController,
    PortalController,
    ReferenceController,
)
"""Everything under `/api/v1`, noun by noun; and the pages for end users."""


def _handlers(registry: Registry) -> list[ControllerRouterHandler]:
    """Everything that answers."""
    loose = [platforms, platform_of, health, api_health, metrics]
    return [*CONTROLLERS, *not_offered(), *live_posts(registry), *media_routes(), *loose]


def create_app(settings: Settings, registry: Registry) -> Litestar:
    """The API over the adapters of a registry. Connects when it starts, lets go when it stops.

    Raises `Misconfigured`, here for a setting and at the start for a database that is not to be reached.
    """

    rooms: dict[str, Any] = {}
    guard = Guard(settings.allow_urls.split(","))
    vault = Vault.parse(settings.master_keys, file=settings.keys_file)
    storage = open_storage(settings)

    @asynccontextmanager
    async def lifespan(app: Litestar) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            await _open(app.state, stack, settings, registry, guard, vault, storage)
            rooms.update({name: app.state[name] for name in ROOMS})
            yield

    app = Litestar(
        route_handlers=_handlers(registry),
        lifespan=[lifespan],
        # They ask for nothing themselves, not even for the state: that would be looked up for every request.
        dependencies={name: Provide(_room(rooms, name), sync_to_thread=False) for name in ROOMS},
        middleware=[Door(CallerLimit(settings.api_calls))],
        response_class=Tagged,
        exception_handlers={Exception: answer},
        request_max_body_size=MAX_BYTES,
        cors_config=cors(settings),
        compression_config=compression(),
        openapi_config=openapi.config(),
        logging_config=None,
        debug=False,
    )
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
    await check_keys(pool, vault)
    client = await stack.enter_async_context(open_client(open_transport(guard=guard)))
    platforms = open_platforms(guard, settings.urls_of(registry.values()))
    stack.push_async_callback(platforms.aclose)
    cache = redis.asyncio.from_url(settings.redis_url)
    stack.push_async_callback(cache.aclose)
    notices = Notices(pool)
    stack.push_async_callback(notices.aclose)
    state.registry = registry
    _open_rates(state, stack, pool, settings)
    state.pulse = Pulse(pool, cache)
    state.tenants = Tenants(pool)
    state.api_keys = ApiKeys(pool)
    state.bounds = Bounds(pool)
    state.roster = Roster(pool)
    state.keyring = Keyring(pool)
    stack.push_async_callback(state.keyring.aclose)
    desk = await stack.enter_async_context(open_media(settings, pool, storage, client, vault))
    state.uploads, state.slots, state.renditions, state.links = desk.uploads, desk.slots, desk.renditions, desk.links
    state.control = Control(pool, notices, patience=settings.max_delay)
    most = settings.webhook_endpoints
    state.endpoints = Endpoints(pool, vault, guard, notices=notices, platforms=registry, most=most)
    state.webhook_log, state.feed = WebhookLog(pool, notices), Feed(pool)
    _open_accounts(state, pool, vault, settings, registry, notices, platforms)
    await _open_posts(state, stack, pool, settings, notices)


def _open_rates(state: State, stack: AsyncExitStack, pool: Pool, settings: Settings) -> None:
    """Open what limits callers, and what shows the limits of platforms."""
    state.governor = Governor(settings.redis_url, Journal(pool, worker=False), call_seconds=settings.lease)
    stack.push_async_callback(state.governor.aclose)
    state.tally = Tally(state.governor, CALLS)
    closing = asyncio.Event()
    beats = asyncio.create_task(state.governor.keep(closing))
    stack.push_async_callback(asyncio.wait, [beats])
    stack.callback(closing.set)
    quotas = {platform: settings.quotas_of(adapter) for platform, adapter in state.registry.items()}
    state.rate_meter = RateMeter(pool, state.governor, quotas)
    state.foresight = Foresight(pool, state.governor, quotas)
    state.usage = Usage(pool, state.registry, quotas)


async def _open_posts(state: State, stack: AsyncExitStack, pool: Pool, settings: Settings, notices: Notices) -> None:
    """Open what takes posts in, and what runs them dry."""
    url, patience = settings.database_url, PATIENCE_SECONDS
    opening = open_pool(url, size=1, name="fingerpost intake", patience_seconds=patience, autocommit=True)
    state.posts = Posts(
        pool,
        state.registry,
        accounts=state.accounts,
        uploads=state.uploads,
        tenants=state.tenants,
        notices=notices,
        max_delay=settings.max_delay,
        intake=await stack.enter_async_context(opening),
    )
    stack.push_async_callback(state.posts.aclose)
    state.changing = Changing(pool, state.posts, notices)
    state.bulk = Bulk(state.posts, notices)
    state.dry_runs = DryRuns(
        pool,
        state.registry,
        preparation=state.posts.preparation,
        uploads=state.uploads,
        renditions=state.renditions,
        foresight=state.foresight,
        settings=settings,
    )


def _open_accounts(
    state: State,
    pool: Pool,
    vault: Vault,
    settings: Settings,
    registry: Registry,
    notices: Notices,
    platforms: httpx.AsyncBaseTransport,
) -> None:
    """Open what connecting and looking after accounts takes; `platforms` carries the calls to them."""
    state.settings = settings
    state.accounts = Accounts(pool, vault, Random())  # noqa: S311 - jitter, not secrets
    state.apps = Apps(pool, vault, settings)
    state.connect_links = Links(pool, vault)
    passages = Passages(state.governor, settings)
    visits = Visits(
        accounts=state.accounts,
        adapters=registry,
        settings=settings,
        transport=platforms,
        notices=notices,
        passages=passages,
    )
    state.upkeep = Upkeep(pool, state.accounts, registry, visits)
    _open_changes(state, pool, settings, registry, visits)
    state.reconnecting = Reconnecting(pool, notices, patience=settings.max_delay)
    state.connector = Connector(
        links=state.connect_links,
        accounts=state.accounts,
        apps=state.apps,
        server_apps=ServerApps(pool, vault, settings, platforms),
        registry=registry,
        settings=settings,
        transport=platforms,
        notices=notices,
        passages=passages,
    )
    state.portal = open_portal(state, settings)


def _open_changes(state: State, pool: Pool, settings: Settings, registry: Registry, visits: Visits) -> None:
    """Open what is done on platforms beside publishing."""
    changes = Changes(pool, visits, lease_seconds=settings.lease, settle_seconds=settings.request_seconds * SETTLE)
    state.channels = Channels(pool, changes, visits, registry)
    state.sections = Sections(changes, visits, registry)
    state.statistics = Statistics(pool, visits, registry)
    state.published = PublishedPosts(pool, changes, visits, state.upkeep, registry)


def _room(rooms: Mapping[str, Any], name: str) -> Callable[[], Any]:
    def provide() -> Any:
        return rooms[name]

    return provide
