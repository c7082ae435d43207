"""What the OpenAPI document says of files that come or go as they are."""

from litestar.openapi.spec import OpenAPIMediaType, OpenAPIResponse, Operation, RequestBody, Schema

_BYTES = {"application/octet-stream": OpenAPIMediaType(schema=Schema())}
_FILE = {"*/*": OpenAPIMediaType(schema=Schema())}
_READS = ("mediaRead", "mediaReadHead")

FAILURES = {
    "uploadPut": {
        "400": "The file is too large, or the team has no room for it.",
        "503": "A server that we need is away for the moment.",
    },
    **{name: {"503": "The file cannot be read for the moment."} for name in _READS},
}
"""How these calls, which need no key, may fail, beside that there is no such thing: by status, in words."""


def describe_file(operation: Operation) -> None:
    """Say of an operation that takes or gives a file as it is what comes and goes."""
    responses = operation.responses or {}
    if operation.operation_id == "uploadPut":
        operation.request_body = RequestBody(content=_BYTES, required=True, description="The file as it is.")
    if operation.operation_id in _READS:
        operation.responses = {
            **responses,
            "200": OpenAPIResponse(description="The file.", content=_FILE),
            "206": OpenAPIResponse(description="The part that `Range` asks for.", content=_FILE),
            "416": OpenAPIResponse(description="The file has no such part.", content=_FILE),
        }
