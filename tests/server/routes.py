"""Every route of the API, from the application's own table, and a sound request for each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from core.registry import Registry
from core.settings import Settings
from core.vault import Vault
from server.app import create_app
from server.auth import ACCESS, OPEN, Access
from server.not_offered import REASON
from tests.server.conftest import picture

ID = "0190b3f0-0000-7000-8000-000000000000"


CARE = ("Disconnect", "ConnectionCheck", "ProfileRefresh", "RefreshChannels", "UnsetChannel")
"""The calls that take nothing but the account that is meant."""


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """One route: its operation, whether it needs a key and what it asks of one, and the parameters of its path.

    One that is `refused` answers 501 whatever it is asked.
    """

    method: str
    path: str
    operation: str
    open: bool
    asked: Access | None
    parameters: tuple[str, ...]
    refused: bool

    def url(self, **values: object) -> str:
        """The address with values for its parameters; an id that nobody has where none is given."""
        path = self.path
        for name in self.parameters:
            path = path.replace("{" + name + "}", str(values.get(name, ID)))
        return path

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def all_routes() -> list[Route]:
    """Every route that there is, but for the preflight of browsers, their pages, and the API's own description."""
    settings = Settings(
        database_url="postgresql://", redis_url="redis://", master_keys=Vault.generate(), state=str(Path("nowhere"))
    )
    app = create_app(settings, Registry.installed())
    found = [
        _route(route, handler, method)
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler, method in _handlers(route)
    ]
    return sorted(found, key=lambda route: (route.path, route.method))


def _handlers(route: HTTPRoute) -> Iterator[tuple[HTTPRouteHandler, str]]:
    for handler in route.route_handlers:
        for method in handler.http_methods:
            if method != "OPTIONS" and not route.path.startswith(("/schema", "/connect", "/reference", "/errors")):
                yield handler, str(method)


def _route(route: HTTPRoute, handler: HTTPRouteHandler, method: str) -> Route:
    return Route(
        method=method,
        path=route.path_format,
        operation=str(handler.operation_id),
        open=bool(handler.opt.get(OPEN)),
        asked=handler.opt.get(ACCESS),
        parameters=tuple(route.path_parameters),
        refused=REASON in handler.opt,
    )


def request_for(operation: str, team_id: UUID, account_id: UUID) -> dict[str, Any]:
    """What a sound request of an operation holds beside its path; it names this team and this account."""
    team = str(team_id)
    pin = {
        "teamId": team,
        "title": "A Pin",
        "postDate": "2030-01-02T03:04:05Z",
        "status": "SCHEDULED",
        "socialAccountTypes": ["PINTEREST"],
        "data": {"PINTEREST": {"boardId": "4711", "text": "A", "mediaUrls": ["https://example.com/p.jpg"]}},
    }
    account = {"teamId": team, "type": "PINTEREST", "socialAccountId": str(account_id)}
    requests: dict[str, dict[str, Any]] = {
        "postCreate": {"json": pin},
        "postValidate": {"json": pin},
        "postCreateBulk": {"json": {"items": [{"post": pin}]}, "params": {"mode": "atomic"}},
        "postUpdate": {"json": {"postDate": "2030-01-02T03:04:05Z"}},
        "organizationGetDailyLimitsUsage": {"params": {"socialAccountId": str(account_id)}},
        "postGetList": {"params": {"teamId": team}},
        "deliveryUpdatePublished": {"json": {"text": "Another title"}},
        "deliverySavePublished": {"json": {"channelId": "4712"}},
        "miscPinterestDeletePin": {"json": {"teamId": team, "postId": ID}},
        "deliveryResolve": {"json": {"resolution": "retry"}},
        "uploadCreate": {"data": {"teamId": team}, "files": {"file": ("p.png", picture(), "image/png")}},
        "uploadCreateFromUrl": {"json": {"teamId": team, "url": "http://127.0.0.1:9/p.png"}},
        "uploadInitLargeUpload": {"json": {"teamId": team, "fileName": "p.png", "mimeType": "image/png"}},
        "uploadFinalizeLargeUpload": {"json": {"teamId": team, "path": f"incoming/{team}/{ID}"}},
        "uploadGetList": {"params": {"teamId": team}},
        "uploadDeleteMany": {"json": {"ids": [ID]}},
        "webhookEndpointCreate": {"json": {"teamId": team, "url": "http://127.0.0.1:9/hook"}},
        "webhookEndpointUpdate": {"json": {"description": "walked"}},
        "webhookEndpointResend": {"json": {"since": "2030-01-02T03:04:05Z"}},
        "apiKeyCreate": {"json": {"name": "key", "scopes": ["read"], "teamId": team}},
        "socialAccountGetList": {"params": {"teamId": team}},
        "socialAccountGetByType": {"params": {"teamId": team, "type": "PINTEREST"}},
        "socialAccountConnect": {"json": {"teamId": team, "type": "PINTEREST", "redirectUrl": "https://app.example/"}},
        "socialAccountCreatePortalLink": {"json": {"teamId": team, "socialAccountTypes": ["PINTEREST"]}},
        **{f"socialAccount{name}": {"json": account} for name in CARE},
        "socialAccountSetChannel": {"json": account | {"channelId": "4711"}},
        "analyticsGetPostAnalytics": {"params": {"postId": ID}},
        "analyticsGetBulkPostAnalytics": {"params": {"postIds": ID, "platformType": "PINTEREST"}},
        "analyticsGetSocialAccountAnalytics": {"params": {"teamId": team, "platformType": "PINTEREST"}},
        "channelCreate": {"json": {"name": "New"}},
        "channelUpdate": {"json": {"name": "Newer"}},
        "sectionCreate": {"json": {"name": "New"}},
        "sectionUpdate": {"json": {"name": "Newer"}},
        "socialAccountCopy": {"json": {"fromTeamId": team, "toTeamId": team, "socialAccountTypes": ["PINTEREST"]}},
        "postGetReconnectSocialAccountCandidates": {"params": {"teamId": team, "type": "PINTEREST"}},
        "postReconnectSocialAccount": {"json": account},
        "appPut": {"json": {"clientId": "id", "clientSecret": "secret"}},
        "teamCreateTeam": {"json": {"name": "Another"}},
        "teamUpdateTeam": {"json": {"name": "Another name"}},
        "organizationCreate": {"json": {"name": "Another"}},
        "organizationCreateFirstKey": {"json": {"name": "first"}},
    }
    return requests.get(operation, {})
