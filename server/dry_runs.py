"""The dry run of the API: what would become of a post, asked before it is sent."""

from litestar import Controller, Request, post
from litestar.datastructures import State
from litestar.di import NamedDependency

from core.posts.dry_run import DryRun, DryRuns
from core.tenants.callers import Caller
from server.auth import access
from server.bodies import read_json


class DryRunController(Controller):
    """`/api/v1/post/validate`, ours: the vendor has no such call."""

    path = "/api/v1/post"
    tags = ("Posts",)

    @post(
        "/validate",
        status_code=200,
        operation_id="postValidate",
        summary="Run a post dry",
        opt=access("read", "accounts"),
    )
    async def validate(self, request: Request[Caller, None, State], dry_runs: NamedDependency[DryRuns]) -> DryRun:
        """Tell what a create of the same body would find, send and change, and when; nothing is stored or sent.

        Every fault of the post is in `issues` of a 200; whatever else a create would refuse is refused here alike.
        """
        return await dry_runs.of(request.user.organization_id, await read_json(request), request.user.reach)
