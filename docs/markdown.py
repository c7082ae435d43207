"""Markdown as the generated pages need it: tables, lists of names, and a note on where a page comes from."""

from collections.abc import Iterable, Sequence

GENERATED = "<!-- Written by `make docs` from the code; change it there. -->\n"


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return "\n".join([f"# {title}\n", GENERATED, *parts]).rstrip() + "\n"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; cells may hold Markdown, and pipes and line breaks in them harm nothing."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(_cell(text) for text in line) + " |" for line in lines) + "\n"


def code(text: str) -> str:
    """Text as code; nothing stays nothing."""
    return f"`{text}`" if text else ""


def listed(names: Iterable[str]) -> str:
    """Names as code, with commas."""
    return ", ".join(map(code, names))


def sentence(text: str | None) -> str:
    """A docstring as one line."""
    return " ".join((text or "").split())


def first_sentence(text: str | None) -> str:
    """A docstring's first paragraph as one line."""
    return sentence((text or "").strip().partition("\n\n")[0])


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", "<br>")
