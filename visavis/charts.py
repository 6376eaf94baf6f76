"""Charts as PNG files: of detectors, one line each, in the same colour on each chart; and of counts."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis import calibration, metrics
from visavis.files import replaced
from visavis.messages import counted
from visavis.metrics import Judged

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_NAMES, LONGEST_NAME = 6, 36
"""Where a chart has more names, or one of more letters, the legend is put below the charts."""


@dataclass(frozen=True)
class Line:
    """A curve: the coordinates of its points, (T,) each."""

    name: str
    across: Any
    up: Any


def precision_recall(names: Sequence[str], judged: Sequence[Judged], thresholds: Sequence[float], path: Path) -> None:
    """Precision over recall, with a dot at each detector's threshold. judged: at IoU 0.5, all on the same photos."""
    figure = blank(7, 5.5)
    axes = figure.subplots()
    for name, ranked, threshold in zip(names, judged, thresholds, strict=True):
        over = metrics.curve(ranked)
        label = f"{name} (AP50 {metrics.average_precision(ranked):.3f})"
        (line,) = axes.plot(over.recall, over.precision, label=label)
        precision, recall, _ = metrics.at_threshold(ranked, threshold)
        axes.plot([recall], [precision], "o", color=line.get_color())
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1.01), ylim=(0, 1.01))
    axes.set_title(f"{counted(judged[0].photos, 'photo')}, {counted(judged[0].truths, 'face')}, IoU 0.5")
    finish(figure, path)


class Scored(NamedTuple):
    """Answers: (N,) how sure each is, and whether it is right."""

    scores: NDArray[Any]
    right: NDArray[np.bool_]


def reliability(names: Sequence[str], judged: Sequence[Judged | Scored], path: Path, what: str = "detections") -> None:
    """The share of detections, or of `what` else has scores, that are right, by score; below it, their number."""
    figure = blank(6, 6)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    axes.plot([0, 1], [0, 1], color="0.6", lw=1, ls="--")
    for name, ranked in zip(names, judged, strict=True):
        over = calibration.reliability(ranked.scores, ranked.right)
        some = over.finds > 0
        (line,) = axes.plot(over.score[some], over.right[some], "o-", ms=4, label=f"{name} (ECE {over.error:.3f})")
        edges = np.linspace(0, 1, calibration.BINS + 1)
        below.stairs(over.finds, edges, color=line.get_color())
    axes.set(ylabel="share that is right", xlim=(0, 1), ylim=(0, 1.01))
    axes.set_title(f"How many {what} with this score are right")
    below.set(xlabel="score", ylabel=what, yscale="log")
    finish(figure, path)


def curves(
    panels: Sequence[tuple[str, Sequence[Line]]], labels: tuple[str, str], path: Path, logarithmic: bool = False
) -> None:
    """Several charts side by side, each with a title and lines. The y axes of shares are all alike, those of larger
    figures reach to the largest. labels: of the x axis and of the y axis. logarithmic: whether the x axis is."""
    figure = blank(5 * len(panels), 4.5)
    for axes, (title, lines) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels, strict=True):
        for line in lines:
            axes.plot(line.across, line.up, label=line.name)
        highest = max(np.max(line.up) for line in lines)
        axes.set(xlabel=labels[0], ylabel=labels[1], title=title, ylim=(0, 1.01 if highest <= 1 else 1.05 * highest))
        if logarithmic:
            axes.set_xscale("log")
        else:
            axes.margins(x=0)
    finish(figure, path)


@dataclass(frozen=True)
class Bar:
    """One layer of a stack: how much of it there is at 0, 1, 2 ... colour: red, green and blue, 0 to 255."""

    name: str
    up: Sequence[float]
    colour: tuple[int, int, int]


def stacked(bars: Sequence[Bar], labels: tuple[str, str], title: str, path: Path) -> None:
    """Bars one upon the other, the first at the bottom; those of which there is nothing are left out. labels: of the x
    axis and of the y axis."""
    from matplotlib.ticker import MaxNLocator

    count = len(bars[0].up)
    figure = blank(min(16, max(5, 3 + 0.25 * count)), 3.6)
    axes = figure.subplots()
    below = np.zeros(count)
    for bar in bars:
        if any(bar.up):
            colour = tuple(channel / 255 for channel in bar.colour)
            axes.bar(range(count), bar.up, 0.8, below, color=colour, label=bar.name)
            below += bar.up
    axes.set(xlabel=labels[0], ylabel=labels[1], title=title, xlim=(-0.6, count - 0.4))
    axes.set_ylim(0, 1.3 * max(below.max(), 1))  # room for the legend
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))  # by itself it splits a single whole one
    axes.set_axisbelow(True)
    finish(figure, path)


def blank(width: float, height: float) -> "Figure":
    """An empty figure of that size in inches, without pyplot, which would choose a window system."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def finish(figure: "Figure", path: Path) -> None:
    """Add grids and legends, and write the file as a PNG. A legend that would cover much of a chart is below
    all of them."""
    handles = [axes.get_legend_handles_labels() for axes in figure.axes]
    large = any(len(names) > MOST_NAMES or max(map(len, names), default=0) > LONGEST_NAME for _, names in handles)
    named = {name: line for lines, names in handles for line, name in zip(lines, names, strict=True)}
    if large:
        names = [fill(name, 50) for name in named]
        figure.set_figheight(figure.get_figheight() + 0.2 * sum(name.count("\n") + 1 for name in names))
        figure.legend(named.values(), names, frameon=False, loc="outside lower center")
    for axes in figure.axes:
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[1] and not large:
            axes.legend(frameon=False)
    with replaced(path, "wb") as file:
        figure.savefig(file, format="png", dpi=120)
