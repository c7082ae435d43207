"""The page for authors of adapters, from the public face, its docstrings and the hooks."""

import ast
import inspect
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import fingerpost
from core import hook
from docs.markdown import code, first_sentence, listed, page, table

HEAD = f"""\
An adapter imports from `fingerpost` and nothing else of ours. It enters by the entry-point group `{hook.GROUP}`, ours
through the same door as a stranger's: an entry names a module, and every hook that the module implements is called.
The shortest complete one stands in the [README](../README.md#writing-an-adapter).
"""

FIRST = """\
Start from a package that works. In a virtual environment (`python3 -m venv`, Python 3.11 or later, activated) this
installs Fingerpost from its source, writes a package for a platform called Acme, with a stand-in for it (a sandbox) and
tests, installs it and runs them; the package itself may lie anywhere:

```sh
pip install /path/to/fingerpost pytest
fingerpost adapter new acme
pip install -e fingerpost-acme
pytest fingerpost-acme
```

The tests are three lines. They bring the suite that every adapter has to pass: the declaration is complete, every
limit holds at its very edge, every rule can be broken, every failure is called by its name, crashes and lost answers
lead to one post, no secret gets out, nothing blocks.

```python
from fingerpost import AdapterConformance
from fingerpost_acme import Acme


class TestAcme(AdapterConformance):
    adapter = Acme()
```

Now make it yours. Say that a text of Acme has 280 characters, in `fingerpost_acme/__init__.py`:

```diff
-    text: Annotated[str, Meta(max_length=500, description="What is said.")] | None = None
+    text: Annotated[str, Meta(max_length=280, description="What is said.")] | None = None
```

This is the only place: the check, the dry run, the API's description, `/platforms` and the handbook's page take it
from there. The tests fail, because the sandbox takes more than that. It has to be as strict as the platform, so mend
it in `fingerpost_acme/sandbox.py`, and they pass:

```diff
-LONGEST = 500
+LONGEST = 280
```

What a refusal means is a row of a table: the status, the platform's codes, words of its message, the class of error
that says what happens next, our code, a hint for the author, and such a message word for word.

```diff
-    connect = Form(
+    refusals = (fp.Refusal(403, (), "", fp.Rejected, "acme_muted", "Ask Acme to let you speak.", "You are muted."),)
+    connect = Form(
-from fingerpost import Adapter,
+import fingerpost as fp
+from fingerpost import Adapter,
```

`fingerpost adapter check acme` prints what the suite finds, for adapters that are installed. `fingerpost up` starts
everything with your sandbox beside ours, prints an account on it, and publishes there.

Where a platform is another than the model: what several fields break together is a `@rule` with an example that
`breaks` it; what is counted otherwise than in code points is a `TextLimit`; what differs by account is told by
`limits_of` and `certainty_of`; what is made in several steps is a `session.step` each before the `session.once` that
makes it visible; and where the platform drops no repetition by a key, `find` reads back what was made.

The suite publishes `example`, by the picture's URL and as an upload, as far as the platform takes either; a text is
made as long as it may be in the first example that the rules let through with it, without its files if need be. So a
caption that is shorter than a text is one field with a `TextLimit` and one `@rule`. A platform whose 429 tells in its
body how long to wait needs a `classify` of its own: `RateLimited(…, after=retry_after(response, otherwise))` keeps to
the header where there is one.

What a person types in beside the token, such as the chat that a bot writes to, has no place of its own: `sign_in` puts
both into the access token, and `authorize` takes them apart again and hands the token to `super().authorize()`; what is
sent in the place of `{token}`, or as `Authorization`, is kept out of all that is stored and shown. Where a platform
lists no channels to a bot, `profile` and `channels` tell that chat.

Much need not be written, only said. `gives_one_of`, `names_channel` and `only_by` are rules ready-made, `free_of` is
a bound on names of which some are reserved. `ways` names the ways of being connected, such as a webhook or a bot, each
with its certainty. `rate_headers` says where answers tell the calls that are left, `authorization` how the token is
sent; a token that belongs into an address stands as `{token}` in the path, and in the keys of `operations` and
`rehearsal`, where `*` is any text. `draft.media` has what is said of each file (`alt_text`) as the platform takes it.

Where a platform has many servers, `connect` is `ServerOAuth`: a person names the server, `register` makes an app there
when it is first needed, and each server has a breaker of its own.
"""


ATTRIBUTES = (
    "platform", "label", "certainty", "key_seconds", "ways", "hosts", "limits", "fills", "connect", "authorization",
    "one_channel", "quotas", "tiers", "operations", "rate_headers", "rehearsal", "refusals", "refusal_fields",
    "sandbox",
)  # fmt: skip
"""What an adapter declares beside `places`, `aftercare` and `insights`; the docstring of `Adapter` says what."""

ABILITIES = {"places": fingerpost.Places, "aftercare": fingerpost.Aftercare, "insights": fingerpost.Insights}
NAMES = fingerpost.__all__


def adapters_page() -> str:
    """The page."""
    hooks = [
        [code(name), first_sentence(found.__doc__)]
        for name, found in sorted(vars(hook).items())
        if name.startswith("fingerpost_")
    ]
    types = dict(_types())
    names = [[code(name), types.get(name) or first_sentence(getattr(fingerpost, name).__doc__)] for name in NAMES]
    return page(
        "Writing an adapter",
        HEAD,
        "## From nothing to a working adapter\n",
        FIRST,
        "## Hooks\n",
        table(("hook", "answers"), hooks),
        "## Names\n",
        "`python -m pydoc fingerpost.Adapter` tells all that there is to say of this name, and so of each.\n",
        table(("name", "what it is"), names),
        "## What an adapter may override\n",
        f"Beside its class attributes {listed(ATTRIBUTES)}:\n",
        table(("method", "what it does"), _methods(fingerpost.Adapter)),
        *_abilities(),
        "## What a session gives\n",
        f"Beside {listed(('http', 'bare', 'account', 'hosts', 'key'))}:\n",
        table(("method", "what it does"), _methods(fingerpost.Session)),
        "## What a sandbox has\n",
        "A class that `Adapter.sandbox` names. It declares `platform`, `shelf` and, where there are such, `ways` and\n"
        "`switches`; `routes`, `live` and `seed` are its own to write, `now`, `kept` and `page` are there to be used,\n"
        "and the rest may be overridden:\n",
        table(("method", "what it does"), _methods(fingerpost.Sandbox)),
    )


def _types() -> Iterator[tuple[str, str]]:
    """Names of the face that are neither class nor function bear their words in a string below them."""
    for path in sorted(Path(inspect.getfile(hook)).parent.rglob("*.py")):
        for statement, below in pairwise(ast.parse(path.read_text()).body):
            match statement, below:
                case ast.Assign(targets=[ast.Name(id=name)]), ast.Expr(value=ast.Constant(value=str(words))):
                    if name in NAMES:
                        yield name, first_sentence(words)


def _abilities() -> Iterator[str]:
    yield "## What a platform may do beside publishing\n"
    yield (
        f"An adapter says so by its attributes {listed(ABILITIES)}: each is an instance of a class of its own, which "
        "overrides what the platform has. What it leaves out is answered 501 `not_supported`.\n"
    )
    for name, kind in ABILITIES.items():
        yield f"### {code(name)}: {code(kind.__name__)}\n"
        yield table(("method", "what it does"), _methods(kind))


def _methods(kind: type) -> list[list[str]]:
    return [
        [code(name), first_sentence(found.__doc__)]
        for name, found in vars(kind).items()
        if inspect.isfunction(found) and not name.startswith("_")
    ]
