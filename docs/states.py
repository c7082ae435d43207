"""The page of states, from the table of moves in `core.ledger.states`."""

from core.ledger.states import MOVES, OPEN, State
from core.webhooks.event_types import EVENT_TYPES
from docs.markdown import code, listed, page, table
from docs.words import STATES

HEAD = """\
Each post has one delivery for each social account it goes to, and each delivery is in one of these states. The same
table of moves stands in the database, which refuses every other move, whoever asks for it.
"""

CLIENT = """\
## What a client reads

`status` of a post follows its deliveries: one that is queued, publishing or processing makes it `PROCESSING`; else
one that is retrying, deferred or unconfirmed makes it `RETRYING`; else one that needs review leaves it `PROCESSING`
(never `ERROR`: a client would create the post again), with `errorsVerbose.<PLATFORM>.code` being `outcome_unknown`;
else, when none is open, one that failed makes it `ERROR`, with `externalData` of those that are live; all published is
`POSTED`. A `DRAFT` has no deliveries.
"""


def states_page() -> str:
    """The page."""
    arrows = "\n".join(f"    {before} --> {after}" for before in State for after in State if after in MOVES[before])
    diagram = f"```mermaid\nstateDiagram-v2\n    [*] --> {State.SCHEDULED}\n{arrows}\n```\n"
    rows = [_row(state) for state in State]
    heads = ("state", "meaning", "a post with this one alone reads", "next", "webhook")
    return page("States of a delivery", HEAD, diagram, table(heads, rows), CLIENT)


def _row(state: State) -> list[str]:
    event = f"delivery.{state}"
    meaning = STATES[state]["means"] + ("" if state in OPEN else " Nothing more happens by itself.")
    following = listed(after for after in State if after in MOVES[state]) or "—"
    return [
        code(state),
        meaning,
        code(STATES[state]["client"]),
        following,
        code(event) if event in EVENT_TYPES else "none",
    ]
