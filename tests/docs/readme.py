"""The README's code blocks, and what of a printed text stays the same from run to run."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

_CHANGING = {
    r"fp_[\w-]{43}": "<key>",
    r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}": "<uuid>",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)": "<date>",
    r"127\.0\.0\.1:\d+": "<address>",
    r"\b\d{16,19}\b": "<id>",
    r"\b3[a-z2-7]{12}\b": "<key of a record>",
    r" +\d+\.\d\d s\b": "<elapsed>",
    r"(?m)^  logs {8}.+/logs$": "<logs>",
}


def blocks(language: str) -> list[str]:
    """The code blocks of a language, in their order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)


def printed(command: str) -> str:
    """What the README shows that a command prints."""
    (block,) = (block for block in blocks("console") if block.startswith(f"$ {command}\n"))
    return block.partition("\n")[2]


def shape(text: str) -> str:
    """A text without its ids, dates, keys, addresses and times."""
    for pattern, name in _CHANGING.items():
        text = re.sub(pattern, name, text)
    return text.strip()
