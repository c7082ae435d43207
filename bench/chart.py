"""The chart of the results: how each stands against its goal, as PNG and as SVG."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from bench.results import Goal, Result

MET, MISSED = "#2f7d5b", "#b5472f"
WIDTH_INCHES, LINE_INCHES = 12.0, 0.42
NOTE = "1 is the goal, 2 twice as good. Medians of rounds in which each took its turn with its baseline."


def draw(path: Path, results: Sequence[Result]) -> list[Path]:
    """Write the chart beside `path`; the files. Results without a goal are not shown, and none without any."""
    shown = [(result, goal) for result in reversed(results) if (goal := result.bound) is not None]
    if not shown:
        return []
    figure = Figure(figsize=(WIDTH_INCHES, 1.2 + LINE_INCHES * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    standings = [goal.standing(value=result.value, ratio=result.ratio) for result, goal in shown]
    colours = [MET if result.met else MISSED for result, _ in shown]
    bars = axes.barh(range(len(shown)), [standing - 1 for standing in standings], left=1.0, color=colours)
    axes.bar_label(bars, [_words(result, goal) for result, goal in shown], padding=4, fontsize=8)
    axes.set_yticks(range(len(shown)), [f"{result.name}\nagainst {result.against}" for result, _ in shown], fontsize=7)
    axes.set_xscale("log")
    axes.set_xlim(min(0.2, *standings) / 3, 3 * max(2.0, *standings))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.axvline(1.0, color="black", linewidth=1)
    axes.set_xlabel(NOTE, fontsize=8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    files = [path.with_suffix(suffix) for suffix in (".png", ".svg")]
    for file in files:
        figure.savefig(file, dpi=120)
    return files


def _words(result: Result, goal: Goal) -> str:
    figure = f"{result.value:,g} {result.unit}" if goal.of == "value" else f"{result.ratio:.2f} ×"
    return f"{figure} ({goal.sense} {goal.bound:g})"
