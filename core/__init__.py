"""The ground floor: everything that knows no platform and no web framework."""

import sys

# httpx does without its command line, which brings rich and pygments: a third of what importing the public face takes.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]  # None stands for what cannot be imported
