"""An official OpenAPI description (3.0) as a judge of requests and answers; the environment names its file."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from openapi_schema_validator import OAS30ReadValidator, OAS30WriteValidator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

PINTEREST = os.environ.get("PINTEREST_OPENAPI", "")
"""The file with Pinterest's description; empty where there is none, and the tests that need it are skipped."""


def _form(body: bytes) -> dict[str, Any]:
    """The fields of a form, in which what is true or false is written out."""
    written = {"true": True, "false": False}
    return {name: written.get(text, text) for name, text in parse_qsl(body.decode(), keep_blank_values=True)}


class Description:
    """What a platform says of its API; paths are without the prefix of the server's URL."""

    def __init__(self, path: Path) -> None:
        self.document: Any = json.loads(path.read_text())
        self._paths: dict[str, Any] = self.document["paths"]
        self._registry: Any = Registry().with_resource("urn:api", DRAFT202012.create_resource(self.document))
        self._reading = cache(lambda pointer: self._validator(OAS30ReadValidator, pointer))
        self._writing = cache(lambda pointer: self._validator(OAS30WriteValidator, pointer))

    def _validator(self, kind: Any, pointer: str) -> Any:
        return kind({"$ref": f"urn:api#{pointer}"}, registry=self._registry)

    @property
    def operations(self) -> Iterable[tuple[str, str, Any]]:
        """Method, path template and the operation itself, of each."""
        for template, methods in self._paths.items():
            for method, operation in methods.items():
                if method in ("get", "post", "patch", "put", "delete"):
                    yield method.upper(), template, operation

    @cached_property
    def _templates(self) -> list[tuple[re.Pattern[str], str]]:
        # A name that is written out goes before one that stands for anything.
        by_names = sorted(self._paths, key=lambda template: template.count("{"))
        return [(re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", each) + "$"), each) for each in by_names]

    def schema(self, name: str) -> Any:
        """A schema by its name."""
        return self.document["components"]["schemas"][name]

    def resolved(self, thing: Any) -> Any:
        """What a reference leads to."""
        while isinstance(thing, dict) and "$ref" in thing:
            steps = thing["$ref"].removeprefix("#/").split("/")
            thing = self.document
            for step in steps:
                thing = thing[step.replace("~1", "/").replace("~0", "~")]
        return thing

    def mistakes(self, method: str, template: str, status: int, body: object) -> list[str]:
        """What is wrong with an answer; a status that is not declared is judged as `default`."""
        responses = self._paths[template][method.lower()]["responses"]
        declared = str(status) if str(status) in responses else "default"
        if "content" not in responses[declared]:
            return [] if body is None else ["there must be no body"]
        pointer = _pointer("paths", template, method.lower(), "responses", declared, "content", "application/json")
        return _words(self._reading(f"{pointer}/schema").iter_errors(body))

    def mistakes_of_request(
        self, method: str, path: str, query: Iterable[tuple[str, str]], headers: Mapping[str, str], body: bytes | None
    ) -> list[str]:
        """What is wrong with a request, a field that the description does not know among it; no body is not judged."""
        found = next(((match, each) for shape, each in self._templates if (match := shape.match(path))), None)
        if found is None or method.lower() not in self._paths[found[1]]:
            return ["there is no such operation"]
        match, template = found
        operation = self._paths[template][method.lower()]
        mistakes = self._of_parameters(operation, match.groupdict(), list(query))
        scheme = next(iter(operation.get("security", [{"pinterest_oauth2": []}])[0]))
        wanted = "Basic " if scheme == "basic" else "Bearer "
        if not headers.get("Authorization", "").startswith(wanted):
            mistakes.append(f"it is authorised by {wanted}")
        if body is not None:
            mistakes += self._of_body(operation, template, method, headers, body)
        return mistakes

    def _of_parameters(self, operation: Any, path: Mapping[str, str], query: list[tuple[str, str]]) -> list[str]:
        known = {each["name"]: each for each in map(self.resolved, operation.get("parameters", ()))}
        mistakes = [f"query {name}: nobody knows it" for name, _ in query if name not in known]
        for name, parameter in known.items():
            texts = [path[name]] if name in path else [value for key, value in query if key == name]
            if not texts:
                mistakes += [f"{name}: is missing"] if parameter.get("required") else []
                continue
            value = self._value(parameter, texts)
            kind = OAS30WriteValidator(parameter["schema"], registry=self._registry, _resolver=self._resolver)
            mistakes += [f"{name}: {words}" for words in _words(kind.iter_errors(value))]
        return mistakes

    @cached_property
    def _resolver(self) -> Any:
        return self._registry.resolver("urn:api")

    def _value(self, parameter: Any, texts: list[str]) -> Any:
        schema = self.resolved(parameter["schema"])
        if schema.get("type") == "array":
            return texts[0].split(",") if parameter.get("explode") is False else texts
        if schema.get("type") in ("integer", "boolean") and re.fullmatch(r"-?\d+|true|false", texts[0]):
            return json.loads(texts[0])
        return texts[0]

    def _of_body(
        self, operation: Any, template: str, method: str, headers: Mapping[str, str], body: bytes
    ) -> list[str]:
        declared = operation.get("requestBody")
        if declared is None:
            return ["there must be no body"] if body else []
        kind = headers.get("Content-Type", "").partition(";")[0]
        if kind not in declared["content"]:
            return [f"the body is {kind or 'of no type'}"]
        value = json.loads(body) if kind.endswith("json") else _form(body)
        pointer = _pointer("paths", template, method.lower(), "requestBody", "content", kind)
        mistakes = _words(self._writing(f"{pointer}/schema").iter_errors(value))
        if kind.endswith("json"):
            mistakes += self._strange(declared["content"][kind]["schema"], value, "")
        return mistakes

    def _strange(self, schema: Any, value: Any, at: str) -> list[str]:
        """Fields that a schema does not name: a platform takes them, and does nothing with them."""
        schema = self._chosen(self.resolved(schema), value)
        if isinstance(value, list):
            return [words for item in value for words in self._strange(schema.get("items", {}), item, f"{at}[]")]
        if not isinstance(value, dict) or "properties" not in schema:
            return []
        known = schema["properties"]
        strange = [f"{at}.{name}: nobody knows it" for name in value if name not in known]
        inner = (self._strange(known[name], value[name], f"{at}.{name}") for name in value if name in known)
        return strange + [words for each in inner for words in each]

    def _chosen(self, schema: Any, value: Any) -> Any:
        if "allOf" in schema:
            return self._chosen(self.resolved(schema["allOf"][0]), value)
        if "discriminator" in schema and isinstance(value, dict):
            name = value.get(schema["discriminator"]["propertyName"], "")
            return self.resolved({"$ref": schema["discriminator"]["mapping"].get(name, "#/components/schemas/Error")})
        return schema


def _pointer(*steps: str) -> str:
    return "".join("/" + step.replace("~", "~0").replace("/", "~1") for step in steps)


def _words(errors: Iterable[Any]) -> list[str]:
    return [f"{list(error.absolute_path)}: {error.message[:300]}" for error in errors]
