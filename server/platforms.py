"""The platforms of the API: what each allows, as its adapter declares it."""

from litestar import get
from litestar.di import NamedDependency
from litestar.params import FromPath

from core.describe import PlatformView, describe
from core.errors import NotFound
from core.findings import nearest
from core.registry import Registry
from server.auth import OPEN


@get("/api/v1/platforms", opt={OPEN: True}, tags=["Platforms"], operation_id="platforms", summary="List platforms")
async def platforms(registry: NamedDependency[Registry]) -> list[PlatformView]:
    """Every platform that is served here: fields, media, quotas and rules, from the declarations that are checked."""
    return [describe(adapter) for _, adapter in sorted(registry.items())]


@get(
    "/api/v1/platforms/{platform:str}",
    opt={OPEN: True},
    tags=["Platforms"],
    operation_id="platformGet",
    summary="Get a platform",
)
async def platform_of(registry: NamedDependency[Registry], platform: FromPath[str]) -> PlatformView:
    """What one platform allows, by its name in `socialAccountTypes`, in upper or lower case."""
    adapter = registry.get(platform.upper())
    if adapter is None:
        raise NotFound(f"There is no such platform{nearest(platform, registry) or '.'}")
    return describe(adapter)
