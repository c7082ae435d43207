"""Blocks made from the JSON Schema of a platform: such as fit, such as nearly do, and such as do not."""

from typing import Any

from hypothesis import strategies as st

from core.counting import count

UNITS = ("x", "é", "\N{GRINNING FACE}", "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{GIRL}", " https://example.com/a-long-page")
LENGTHS = (100, 300, 500, 800, 1024, 1500, 2000, 3000)
"""How long texts may be here and there."""

LETTERS = st.characters(codec="utf-8", exclude_characters="\0")
TEXT = st.text(LETTERS, max_size=40)
ODD: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT, st.just("x" * 5000), st.lists(TEXT)
)
URLS = [f"https://example.com/{odd}a" for odd in ("\x1f", "\x85", "\xa0", "\N{IDEOGRAPHIC SPACE}", "\ufeff", "\x7f")]
NAMES = ("Clyde", "my\ndIscOrd", " Here\n", "everyone", "every one", "\t ", "\x85", "cly\u200bde", "d\u0131scord")
STRANGE = st.sampled_from(
    ["https://example.com/\n", "１２", "7\n", "#aabbcc\n", "at://a/b/c\n", "at://a/b/\x85", *URLS, *NAMES]
)
"""What dialects of regular expressions may take for another thing, and what some platform does not take for a name."""


def texts(declared: dict[str, Any]) -> st.SearchStrategy[str]:
    """Texts about as long as they may be."""
    bounds = [(limit["most"], limit["counter"], limit["url"]) for limit in declared.get("x-text-limits", ())]
    bounds += [(declared["maxLength"], "chars", 23)] if "maxLength" in declared else []
    near = [
        unit * ((most + over) // max(count(unit * 2, counter, url=url) - count(unit, counter, url=url), 1))
        for most, counter, url in bounds
        for unit in UNITS
        for over in (-1, 0, 1)
    ]
    return st.sampled_from(near) if near else TEXT


def fitting(declared: dict[str, Any], named: dict[str, Any], *, nearly: bool = False) -> st.SearchStrategy[Any]:
    """Values that fit a schema, or only nearly do, as far as blocks have any of it."""
    if "$ref" in declared:
        return fitting(named[declared["$ref"].rpartition("/")[2]], named, nearly=nearly)
    if "anyOf" in declared:
        return st.one_of([fitting(each, named, nearly=nearly) for each in declared["anyOf"]])
    if "enum" in declared:
        return st.sampled_from(declared["enum"])
    least, most = declared.get("minimum", -9), declared.get("maximum", 9)
    match declared.get("type"):
        case "string" if "pattern" in declared:
            formed = st.from_regex(declared["pattern"], alphabet=st.characters(codec="ascii"))
            return STRANGE if nearly else formed.filter(lambda text: not text.endswith("\n"))
        case "string":
            return texts(declared) if nearly else st.text(LETTERS, min_size=declared.get("minLength", 0), max_size=40)
        case "array":
            items = fitting(declared.get("items", {}), named, nearly=nearly)
            fewest, longest = declared.get("minItems", 0), declared.get("maxItems", 3) + nearly
            return st.lists(
                items, min_size=longest if nearly else fewest, max_size=longest if nearly else min(longest, 3)
            )
        case "integer" if nearly:
            return st.sampled_from([least - 1, least, most, most + 1, float(most), most - 0.5])
        case "integer":
            return st.integers(least, most)
        case "boolean":
            return st.booleans()
        case "object":
            fields = {name: fitting(each, named, nearly=nearly) for name, each in declared["properties"].items()}
            needed = {name: fields.pop(name) for name in declared.get("required", ())}
            return st.fixed_dictionaries(needed, optional=fields)
    return st.none()


def blocks(declared: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Blocks that fit, such as have a field that nearly does, and such as have fields of any kind."""
    named, properties = declared.get("$defs", {}), declared["properties"]
    near = [
        st.fixed_dictionaries({name: fitting(each, named, nearly=True)})
        for name, each in properties.items()
        if "anyOf" in each or each["type"] not in ("boolean", "object")
    ]
    odd = st.dictionaries(st.sampled_from(sorted(properties)) | TEXT, ODD, min_size=1, max_size=2)
    ways: list[st.SearchStrategy[dict[str, Any]]] = [st.just({}), st.one_of(near), odd]
    beside = st.sampled_from(range(3)).flatmap(ways.__getitem__)
    return st.tuples(fitting(declared, named), beside).map(lambda both: both[0] | both[1])


def shared_parts() -> st.SearchStrategy[dict[str, Any]]:
    """What a post may say for all its platforms: texts about as long as some take, and what else is filled in."""
    long = [unit * (most // len(unit) + over) for most in LENGTHS for unit in UNITS for over in (0, 1)]
    return st.fixed_dictionaries(
        {},
        optional={
            "text": st.sampled_from(long) | TEXT,
            "link": st.sampled_from(["https://example.com/a", "http://example.com/?b=c#d", "https://example.com/ä"]),
            "altText": st.sampled_from(long) | TEXT,
            "adapt": st.sampled_from(["error", "shorten"]),
            "uploadIds": st.just(["image"]),
            "mediaUrls": st.just(["image"]),
        },
    )
