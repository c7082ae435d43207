"""What a fault is switched on for: a method and a path or path template."""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Self

import msgspec
from aiohttp import web

ANY = "*"


def template_of(request: web.Request) -> str | None:
    """The path template of the route that serves `request`, such as `/pins/{pin_id}`, or None for none."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def route_of(request: web.Request) -> str | None:
    """Method and path template of the route that serves `request`, such as `GET /pins/{pin_id}`."""
    template = template_of(request)
    return None if template is None else f"{request.method} {template}"


def templates_of(routes: Iterable[web.RouteDef]) -> list[tuple[str, str]]:
    """Method and path template of every route."""
    dispatcher = web.UrlDispatcher()
    dispatcher.add_routes(routes)
    return [(route.method, route.resource.canonical) for route in dispatcher.routes() if route.resource is not None]


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A method and a path; `*` stands for any, and names in braces are not compared."""

    method: str
    path: str

    @classmethod
    def read(cls, text: str, known: Iterable[tuple[str, str]]) -> Self:
        """Reads `*`, `POST /pins`, `GET /pins/{pin_id}`, `GET /pins/12`, `* /pins` or `GET *`.

        Raises ValueError, with words for a person, where the text has another shape or fits none of `known`.
        """
        method, _, path = (f"{ANY} {ANY}" if text.strip() == ANY else text.strip()).partition(" ")
        target = cls(method=method.upper(), path=path.strip())
        if not (target.path == ANY or target.path.startswith("/")):
            raise ValueError("must be METHOD /path, METHOD * or *")
        known = list(known)
        if not any(target.covers(*route) for route in known):
            names = [f"{method} {path}" for method, path in known]
            nearest = get_close_matches(text, names, n=1, cutoff=0.0) or ["none"]
            raise ValueError(f"{text!r} is no route of this sandbox; the nearest is {nearest[0]}")
        return target

    def covers(self, method: str, template: str) -> bool:
        """Whether some call to this route can meet the target."""
        if self.method not in (ANY, method):
            return False
        return self.path == ANY or _bare(self.path) == _bare(template) or _fits(self.path, template)

    def meets(self, request: web.Request) -> bool:
        """Whether the target means this request."""
        if self.method not in (ANY, request.method):
            return False
        if self.path in (ANY, request.path):
            return True
        template = template_of(request)
        return template is not None and _bare(self.path) == _bare(template)


def _bare(template: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", template)


def _fits(path: str, template: str) -> bool:
    return re.fullmatch("[^/]+".join(map(re.escape, _bare(template).split("{}"))), path) is not None
