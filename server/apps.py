"""An organization's own apps at platforms, for those who do not want to go by the server's."""

from typing import Annotated

import msgspec
from litestar import Controller, Request, delete, get, put
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath
from msgspec import Meta

from core.accounts.apps import Apps, OwnApp
from core.connect import OAuth
from core.errors import NotFound
from core.posts.views import timestamp
from core.registry import Registry
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import read_struct


class AppRequest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The body of `PUT /api/v1/app/{type}`: what the platform gave when the app was registered there."""

    client_id: Annotated[str, Meta(min_length=1, max_length=500, pattern=r"^[\x21-\x7e]+$")]
    client_secret: Annotated[str, Meta(min_length=1, max_length=2000, pattern=r"^[\x21-\x7e]+$")]

    def __repr__(self) -> str:
        """Without the secret."""
        return f"AppRequest({self.client_id})"


class AppView(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """An app; its secret is never shown."""

    type: str
    client_id: str
    created_at: str
    updated_at: str


class AppPage(msgspec.Struct, frozen=True, kw_only=True):
    """The apps of an organization."""

    items: list[AppView]
    total: int


class AppController(Controller):
    """`/api/v1/app`, ours: the vendor has no such calls."""

    path = "/api/v1/app"
    tags = ("Apps",)

    @get(operation_id="appGetList", summary="List own apps", opt=access("read"))
    async def page(self, request: Request[Caller, None, State], apps: NamedDependency[Apps]) -> AppPage:
        """The organization's own apps, without their secrets."""
        items = [_view(app) for app in await apps.list(request.user.organization_id)]
        return AppPage(items=items, total=len(items))

    @put("/{type:str}", operation_id="appPut", summary="Set an own app", opt=access("write"))
    async def set(
        self,
        request: Request[Caller, None, State],
        apps: NamedDependency[Apps],
        registry: NamedDependency[Registry],
        type: FromPath[str],
    ) -> AppView:
        """Connect the accounts of a platform by an app of your own; those connected before keep theirs."""
        adapter = registry.get(type)
        if adapter is None or not isinstance(adapter.connect, OAuth):
            raise NotFound("There is no such platform, or it knows no apps.")
        body = await read_struct(request, AppRequest)
        return _view(await apps.put(request.user.organization_id, type, body.client_id, body.client_secret))

    @delete("/{type:str}", operation_id="appDelete", summary="Remove an own app", opt=access("destructive"))
    async def remove(
        self, request: Request[Caller, None, State], apps: NamedDependency[Apps], type: FromPath[str]
    ) -> None:
        """Go by the server's app again; accounts connected before keep theirs."""
        await apps.remove(request.user.organization_id, type)


def _view(app: OwnApp) -> AppView:
    return AppView(
        type=app.platform,
        client_id=app.client_id,
        created_at=timestamp(app.created_at),
        updated_at=timestamp(app.updated_at),
    )
