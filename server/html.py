"""HTML as values: elements of names, attributes and children, in which every text is escaped."""

from collections.abc import Iterable
from html import escape


class Html(str):
    """Markup that is sound: made by `element`, and never from a text of somebody's."""

    __slots__ = ()


Child = Html | str | None
"""Markup, a text, or nothing."""

_VOID = frozenset({"meta", "link", "input", "path", "rect", "circle"})


def element(tag: str, /, *children: Child | Iterable[Child], **attributes: str | bool | None) -> Html:
    """An element. Of attributes, `_` is written as `-` and a last one dropped; None and False are left out."""
    written = "".join(
        f" {key.rstrip('_').replace('_', '-')}" + ("" if value is True else f'="{escape(str(value))}"')
        for key, value in attributes.items()
        if value is not None and value is not False
    )
    if tag in _VOID:
        return Html(f"<{tag}{written}>")
    return Html(f"<{tag}{written}>{_inside(children)}</{tag}>")


def document(*children: Child, title: str, style: str) -> Html:
    """A whole page in English, with one style sheet."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="robots", content="noindex"),
        element("title", title),
        element("link", rel="stylesheet", href=style),
    )
    return Html(f"<!doctype html>\n{element('html', head, element('body', *children), lang='en')}\n")


def _inside(children: Iterable[Child | Iterable[Child]]) -> str:
    return "".join(_one(child) if child is None or isinstance(child, str) else _inside(child) for child in children)


def _one(child: Child) -> str:
    if child is None:
        return ""
    return child if isinstance(child, Html) else escape(child)
