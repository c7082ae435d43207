"""The least that starts: a Litestar application with one route, on the same server."""

from litestar import Litestar, get

from bench.baselines.serving import serve


@get("/health")
async def health() -> dict[str, str]:
    return {"status": "ok"}


if __name__ == "__main__":
    serve(Litestar([health], openapi_config=None, logging_config=None, debug=False))
