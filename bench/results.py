"""Results: a measurement beside its baseline and its goal, as a table and as a file."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
from rich.table import Table


class Goal(msgspec.Struct, frozen=True, kw_only=True):
    """A bound on the value, or on its ratio to the baseline; it is shown as met or not, and never enforced."""

    of: Literal["value", "ratio"]
    sense: Literal["≥", "≤"]
    bound: float

    def __str__(self) -> str:
        return f"{self.of} {self.sense} {self.bound:g}"

    def met_by(self, *, value: float, ratio: float) -> bool:
        """Whether a result is within the bound."""
        figure = value if self.of == "value" else ratio
        return figure >= self.bound if self.sense == "≥" else figure <= self.bound

    def standing(self, *, value: float, ratio: float) -> float:
        """How far a result has come: 1 at the bound, 2 where it is twice as good."""
        figure = value if self.of == "value" else ratio
        return figure / self.bound if self.sense == "≥" else self.bound / max(figure, 1e-9)

    @classmethod
    def parse(cls, text: str) -> "Goal":
        """The goal that is written so."""
        of, sense, bound = text.split()
        return msgspec.convert({"of": of, "sense": sense, "bound": float(bound)}, cls)


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the table. `ratio` is the median of the rounds' own ratios, `spread` the least and the greatest."""

    name: str
    value: float
    unit: str
    baseline: float
    ratio: float
    goal: str | None
    met: bool | None
    against: str
    spread: tuple[float, float]
    rounds: int

    @property
    def bound(self) -> Goal | None:
        """Its goal, taken apart."""
        return Goal.parse(self.goal) if self.goal else None


def compared(
    name: str, unit: str, values: Sequence[float], baselines: Sequence[float], *, against: str, goal: Goal | None
) -> Result:
    """The result of as many rounds as there are values; the n-th baseline belongs to the n-th value."""
    ratios = [value / baseline for value, baseline in zip(values, baselines, strict=True)]
    value, ratio = statistics.median(values), statistics.median(ratios)
    return Result(
        name=name,
        value=_rounded(value),
        unit=unit,
        baseline=_rounded(statistics.median(baselines)),
        ratio=_rounded(ratio),
        goal=str(goal) if goal else None,
        met=goal.met_by(value=value, ratio=ratio) if goal else None,
        against=against,
        spread=(_rounded(min(ratios)), _rounded(max(ratios))),
        rounds=len(ratios),
    )


def table(results: Sequence[Result]) -> Table:
    """The results for people."""
    made = Table(title="Measured, each beside its baseline", title_justify="left", caption_justify="left")
    made.caption = "Medians; ratio is value over baseline, round by round, with the least and the greatest."
    for heading in ("measured", "against"):
        made.add_column(heading)
    for heading in ("value", "baseline", "ratio", "spread"):
        made.add_column(heading, justify="right")
    for heading in ("goal", "met"):
        made.add_column(heading)
    for result in results:
        least, greatest = result.spread
        made.add_row(
            result.name,
            result.against,
            f"{result.value:,g} {result.unit}",
            f"{result.baseline:,g} {result.unit}",
            f"{result.ratio:.2f}",
            f"{least:.2f}-{greatest:.2f}",
            result.goal or "",
            {True: "[green]yes", False: "[red]no", None: ""}[result.met],
        )
    return made


def write(path: Path, results: Sequence[Result], circumstances: dict[str, Any]) -> None:
    """Write a JSON list; each entry stands for itself, with the machine, the versions and the date."""
    records = [msgspec.to_builtins(result) | circumstances for result in results]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(records), indent=2) + b"\n")


def _rounded(figure: float) -> float:
    """With four digits that count: more would only pretend."""
    return float(f"{figure:.4g}")
