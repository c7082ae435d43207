"""The pages: every call of the API with what it takes and answers, and every code with what to do about it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from server.html import Child, Html, document, element
from server.reference.codes import Code, CodeGroup
from server.reference.schemas import Schema, bounds, described, fields, kind, table

METHODS = ("get", "post", "put", "patch", "delete", "head")

Operation = Mapping[str, Any]


def reference(described_api: Mapping[str, Any], *, style: str, codes: str, raw: str) -> Html:
    """The page of the whole API, from its OpenAPI document."""
    groups = _by_tag(described_api["paths"])
    info, schemas = described_api["info"], described_api["components"]["schemas"]
    links = [element("li", element("a", tag, href=f"#{_slug(tag)}")) for tag in groups]
    more = [element("li", element("a", name, href=f"#{_slug(name)}")) for name in ("Webhook events", "Objects")]
    return document(
        element("a", "To the calls", href="#calls", class_="skip"),
        element(
            "header",
            element("h1", f"{info['title']} {info['version']}"),
            element("p", info["description"]),
            element(
                "p",
                "Send an API key as ",
                element("code", "x-api-key"),
                " or ",
                element("code", "Authorization: Bearer"),
                ". Every failure is a problem document (RFC 9457); ",
                element("a", "what its code means", href=codes),
                ". The description as ",
                element("a", "OpenAPI 3.1", href=raw),
                ".",
            ),
        ),
        element("nav", element("ul", links, more), aria_label="Contents"),
        element(
            "main",
            [_group(tag, calls) for tag, calls in groups.items()],
            _webhooks(described_api.get("webhooks", {})),
            element("h2", "Objects", id=_slug("Objects")),
            [_object(name, schema) for name, schema in sorted(schemas.items())],
            id="calls",
        ),
        title=f"{info['title']}: the API",
        style=style,
    )


def codes_page(groups: Sequence[CodeGroup], *, style: str, back: str) -> Html:
    """Every code there is."""
    return document(
        element("header", element("h1", "Codes"), element("p", element("a", "To the calls of the API", href=back))),
        element("main", [_codes(group) for group in groups], id="calls"),
        title="Fingerpost: codes",
        style=style,
    )


def code_page(group: CodeGroup, code: Code, *, style: str, back: str) -> Html:
    """One code: where the `type` of a problem leads."""
    status = element("p", f"HTTP {code.status}.") if code.status else None
    return document(
        element(
            "header", element("h1", element("code", code.code)), element("p", element("a", "All codes", href=back))
        ),
        element(
            "main",
            element("p", group.title, ". ", group.where, class_="soft"),
            status,
            element("p", code.means),
            element("p", code.do),
            id="calls",
        ),
        title=f"Fingerpost: {code.code}",
        style=style,
    )


def _by_tag(paths: Mapping[str, Any]) -> dict[str, list[tuple[str, str, Operation]]]:
    groups: dict[str, list[tuple[str, str, Operation]]] = {}
    for path, item in paths.items():
        for method in METHODS:
            if method in item:
                operation = item[method]
                tag = (operation.get("tags") or ["Other"])[0]
                groups.setdefault(tag, []).append((method.upper(), path, operation))
    return dict(sorted(groups.items()))


def _group(tag: str, calls: Sequence[tuple[str, str, Operation]]) -> Html:
    return element("section", element("h2", tag), [_call(*call) for call in calls], id=_slug(tag))


def _call(method: str, path: str, operation: Operation) -> Html:
    scopes = [scope for way in operation.get("security", []) for each in way.values() for scope in each]
    needs = f"Needs a key with the scope {scopes[0]}." if scopes else "Needs no key."
    return element(
        "article",
        element("h3", element("span", method, class_=f"method {method.lower()}"), " ", element("code", path)),
        element("p", element("strong", operation["summary"]), ". ", operation.get("description", "")),
        element("p", needs, class_="soft"),
        _parameters(operation.get("parameters", [])),
        [*_bodies("Takes", operation.get("requestBody", {}).get("content", {}))],
        element("h4", "Answers"),
        _answers(operation.get("responses", {})),
        id=operation["operationId"],
    )


def _parameters(parameters: Sequence[Mapping[str, Any]]) -> Html | None:
    if not parameters:
        return None
    rows = [
        element(
            "tr",
            element("td", element("code", each["name"]), " required" if each.get("required") else None),
            element("td", each["in"]),
            element("td", *kind(each.get("schema", {}))),
            element("td", each.get("description") or described(each.get("schema", {}))),
            element("td", bounds(each.get("schema", {}))),
        )
        for each in parameters
    ]
    return table(("parameter", "in", "type", "what it is", "bounds"), rows)


def _bodies(title: str, content: Mapping[str, Any]) -> Iterator[Html]:
    for media_type, body in content.items():
        yield element("h4", f"{title} {media_type}")
        schema = body.get("schema", {})
        yield fields(schema) or element("p", *kind(schema))
        for name, example in body.get("examples", {}).items():
            written = json.dumps(example["value"], indent=2, ensure_ascii=False)
            words = example.get("summary", name)
            yield element("details", element("summary", f"Example: {words}"), element("pre", written, tabindex="0"))


def _answers(responses: Mapping[str, Any]) -> Html:
    rows = [
        element(
            "tr", element("td", status), element("td", answer.get("description", "")), element("td", *_what(answer))
        )
        for status, answer in sorted(responses.items())
    ]
    return table(("status", "when", "what"), rows)


def _what(answer: Mapping[str, Any]) -> list[Child]:
    kinds = [kind(body.get("schema", {})) for body in answer.get("content", {}).values()]
    return [part for each in kinds[:1] for part in each]


def _webhooks(webhooks: Mapping[str, Any]) -> Html | None:
    if not webhooks:
        return None
    rows = [
        element(
            "tr",
            element("td", element("code", name)),
            element("td", item["post"].get("description", "")),
            element("td", *_what(item["post"]["requestBody"])),
        )
        for name, item in webhooks.items()
    ]
    return element(
        "section", element("h2", "Webhook events"), table(("event", "when", "what"), rows), id=_slug("Webhook events")
    )


def _object(name: str, schema: Schema) -> Html:
    return element(
        "article",
        element("h3", element("code", name)),
        element("p", described({key: value for key, value in schema.items() if key == "description"})),
        fields(schema) or element("p", *kind(schema)),
        id=f"schema-{name}",
    )


def _codes(group: CodeGroup) -> Html:
    rows = [
        element(
            "tr",
            element("td", element("a", element("code", each.code), href=f"errors/{each.code}")),
            element("td", str(each.status or "")),
            element("td", each.means),
            element("td", each.do),
        )
        for each in group.codes
    ]
    heads = ("code", "HTTP", "means", "what to do")
    return element("section", element("h2", group.title), element("p", group.where), table(heads, rows))


def _slug(tag: str) -> str:
    return f"group-{tag.lower().replace(' ', '-')}"
