"""An official OpenAPI description (3.0) as a judge of requests and answers; the environment names its file.

openapi-core does the judging. What it cannot see is added here: a query parameter that is not declared; a field of a
body that no schema names (its policy `forbid` refuses every `media_source`, an object that has no properties of its own
beside `oneOf`); a body where none is declared; the scheme `oauth2`, for which it only warns.
"""

import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.security.exceptions import SecurityProviderError
from openapi_core.security.factories import SecurityProviderFactory
from openapi_core.security.providers import BaseProvider
from openapi_core.templating.paths.exceptions import PathError
from openapi_core.testing import MockRequest, MockResponse

PINTEREST = os.environ.get("PINTEREST_OPENAPI", "")
"""The file with Pinterest's description; empty where there is none, and the tests that need it are skipped."""

# It tells of each branch of a `oneOf` that does not fit, although another one does.
logging.getLogger("openapi_core").setLevel(logging.ERROR)


class Bearer(BaseProvider):
    """A token of OAuth 2 goes into the header `Authorization` (RFC 6750)."""

    def __call__(self, parameters: RequestParameters) -> str:
        scheme, _, token = parameters.header.get("Authorization", "").partition(" ")
        if scheme != "Bearer" or not token:
            raise SecurityProviderError("It is not authorised by Bearer.")
        return token


class Schemes(SecurityProviderFactory):
    PROVIDERS = {**SecurityProviderFactory.PROVIDERS, "oauth2": Bearer}


class Description:
    """What a platform says of its API; paths are without the prefix of the server's URL."""

    def __init__(self, path: Path) -> None:
        self.document: Any = json.loads(path.read_text())
        self._server = self.document["servers"][0]["url"]

    @cached_property
    def _api(self) -> OpenAPI:
        return OpenAPI.from_dict(self.document, Config(spec_validator_cls=None, security_provider_factory=Schemes()))

    @property
    def operations(self) -> Iterable[tuple[str, str, Any]]:
        """Method, path template and the operation itself, of each."""
        for template, methods in self.document["paths"].items():
            for method, operation in methods.items():
                if method in ("get", "post", "patch", "put", "delete"):
                    yield method.upper(), template, operation

    def schema(self, name: str) -> Any:
        """A schema by its name."""
        return self.document["components"]["schemas"][name]

    def resolved(self, thing: Any) -> Any:
        """What a reference leads to."""
        while isinstance(thing, dict) and "$ref" in thing:
            steps = thing["$ref"].removeprefix("#/").split("/")
            thing = self.document
            for step in steps:
                thing = thing[step]
        return thing

    def mistakes_of_request(
        self, method: str, path: str, query: str, headers: Mapping[str, str], body: str | None
    ) -> list[str]:
        """What is wrong with a request, a field that the description does not know among it; no body is not judged."""
        pairs = parse_qsl(query, keep_blank_values=True)
        request = self._request(method, path, pairs, headers, body or "")
        operation = self._operation(request)
        if operation is None:
            return ["there is no such operation"]
        found = self._api.request_validator.iter_errors(request)
        return [*_words(found, body is not None), *self._undeclared(operation, pairs, headers, body)]

    def mistakes_of_answer(
        self, method: str, path: str, status: int, headers: Mapping[str, str], body: str | None
    ) -> list[str]:
        """What is wrong with an answer to some operation; a status that is not declared is judged as `default`."""
        request = self._request(method, path, [], {}, "")
        operation = self._operation(request)
        if operation is None:
            return []
        responses = operation["responses"]
        answer = MockResponse((body or "").encode(), status_code=status, content_type=_kind(headers))
        mistakes = _words(self._api.response_validator.iter_errors(request, answer))
        declared = self.resolved(responses.get(str(status), responses.get("default", {})))
        return mistakes if "content" in declared or not body else [*mistakes, "there must be no body"]

    def _request(
        self, method: str, path: str, query: list[tuple[str, str]], headers: Mapping[str, str], body: str
    ) -> MockRequest:
        host, _, prefix = self._server.removeprefix("https://").partition("/")
        return MockRequest(
            f"https://{host}",
            method,
            f"/{prefix}{path}",
            args=query,  # type: ignore[arg-type]  # pairs are taken as well, and a name may come twice
            headers=dict(headers),
            data=body.encode(),
            content_type=_kind(headers),
        )

    def _operation(self, request: MockRequest) -> Any:
        finder = self._api.request_validator.path_finder  # type: ignore[attr-defined]  # each of its validators has it
        try:
            found = finder.find(request.method, f"{request.host_url}{request.path}")
        except PathError:
            return None
        return found.operation.read_value()

    def _undeclared(
        self, operation: Any, query: list[tuple[str, str]], headers: Mapping[str, str], body: str | None
    ) -> Iterator[str]:
        known = {self.resolved(each)["name"] for each in operation.get("parameters", ())}
        yield from (f"query {name}: nobody knows it" for name, _ in query if name not in known)
        content = self.resolved(operation.get("requestBody", {})).get("content")
        if content is None and body:
            yield "there must be no body"
        elif content and body and (kind := _kind(headers)) == "application/json" and kind in content:
            yield from self._strange(content[kind]["schema"], json.loads(body), "")

    def _strange(self, schema: Any, value: Any, at: str) -> Iterator[str]:
        """Fields that a schema does not name: a platform takes them, and does nothing with them."""
        schema = self._chosen(self.resolved(schema), value)
        if isinstance(value, list):
            for item in value:
                yield from self._strange(schema.get("items", {}), item, f"{at}[]")
        elif isinstance(value, dict) and "properties" in schema:
            for name, inner in value.items():
                if name in schema["properties"]:
                    yield from self._strange(schema["properties"][name], inner, f"{at}.{name}")
                else:
                    yield f"{at}.{name}: nobody knows it"

    def _chosen(self, schema: Any, value: Any) -> Any:
        if "allOf" in schema:
            return self._chosen(self.resolved(schema["allOf"][0]), value)
        if "discriminator" in schema and isinstance(value, dict):
            name = value.get(schema["discriminator"]["propertyName"], "")
            return self.resolved({"$ref": schema["discriminator"]["mapping"].get(name, "#/components/schemas/Error")})
        return schema


def _kind(headers: Mapping[str, str]) -> str:
    return headers.get("Content-Type", "").partition(";")[0]


def _words(errors: Iterable[Exception], body: bool = True) -> list[str]:
    """What openapi-core says, down to the schema's own words."""
    return [words for error in errors if body or "Body" not in type(error).__name__ for words in _of(error)]


def _of(error: Exception) -> Iterator[str]:
    at = getattr(error, "name", "body")
    inner = getattr(error.__cause__, "schema_errors", ())
    if not inner:
        yield f"{at}: {error.__cause__ or error}"[:300]
    for each in inner:
        yield f"{at}{list(each.absolute_path)}: {each.message[-300:]}"
