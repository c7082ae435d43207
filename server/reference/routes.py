"""The addresses of the reference: readable by anybody, with a policy that lets nothing run and nothing be fetched."""

from importlib.resources import files
from typing import Any

from litestar import Controller, Request, Response, get
from litestar.datastructures import State
from litestar.di import NamedDependency
from litestar.params import FromPath

from core.errors import NotFound
from core.registry import Registry
from server.auth import OPEN
from server.html import Html
from server.openapi import described
from server.reference.codes import code_groups
from server.reference.pages import code_page, codes_page, reference

STYLE = "style.css"

HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


class ReferenceController(Controller):
    """`/reference` and `/errors`. Links are relative, so that all of it may stand below a path of a proxy."""

    opt = {OPEN: True}
    include_in_schema = False

    @get("/reference", operation_id="reference", sync_to_thread=False)
    def read(self, request: Request[Any, Any, State]) -> Response[bytes]:
        """Every call of the API."""
        document = described(request.app).to_schema()
        return _shown(reference(document, style=f"reference/{STYLE}", codes="errors", raw="schema/openapi.json"))

    @get(f"/reference/{STYLE}", operation_id="referenceStyle", sync_to_thread=False)
    def style(self) -> Response[bytes]:
        """The style sheet of these pages."""
        content = files("server.reference").joinpath(STYLE).read_bytes()
        return Response(content, media_type="text/css", headers=HEADERS)

    @get("/errors", operation_id="codes", sync_to_thread=False)
    def codes(self, registry: NamedDependency[Registry]) -> Response[bytes]:
        """Every code."""
        return _shown(codes_page(code_groups(registry), style=f"reference/{STYLE}", back="reference"))

    @get("/errors/{code:str}", operation_id="codeGet", sync_to_thread=False)
    def code(self, registry: NamedDependency[Registry], code: FromPath[str]) -> Response[bytes]:
        """One code, where the `type` of a problem leads."""
        for group in code_groups(registry):
            for each in group.codes:
                if each.code == code:
                    return _shown(code_page(group, each, style=f"../reference/{STYLE}", back="../errors"))
        raise NotFound("There is no such code; /errors lists all there are.")


def _shown(page: Html) -> Response[bytes]:
    return Response(page.encode(), media_type="text/html", headers=HEADERS)
