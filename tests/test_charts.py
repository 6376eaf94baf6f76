"""visavis.charts: legends that do not lie over the curves."""

from pathlib import Path

import numpy as np
import pytest

from visavis.charts import Line, blank, curves, finish
from visavis.evaluation.scoreboard import short
from visavis.images import read


@pytest.mark.parametrize("names", [["/".join(["somewhere"] * 12)], [f"detector {number}" for number in range(7)]])
def test_a_large_legend_is_below_the_charts_and_inside_the_picture(tmp_path: Path, names: list[str]) -> None:
    figure = blank(5, 4.5)
    axes = figure.subplots()
    for name in names:
        axes.plot([0, 1], [0, 1], label=name)
    finish(figure, tmp_path / "chart.png")
    (legend,) = figure.legends
    place = legend.get_window_extent()
    assert axes.get_legend() is None and place.y1 <= axes.get_tightbbox().y0
    assert place.x0 >= 0 and place.y0 >= 0 and place.x1 <= figure.bbox.x1
    assert [text.get_text().replace("\n", "") for text in legend.get_texts()] == names
    assert axes.get_window_extent().height > 300  # the chart is as high as without it


def test_a_small_legend_lies_in_its_chart(tmp_path: Path) -> None:
    line = Line("detector (area 0.912)", np.arange(3), np.array([0.0, 0.5, 1.0]))
    curves([("photos", [line])], ("NME, %", "share of faces"), tmp_path / "chart.png")
    assert read(tmp_path / "chart.png").shape == (540, 600, 3)


def test_each_of_two_charts_has_its_own_small_legend(tmp_path: Path) -> None:
    figure = blank(10, 4)
    for axes, count in zip(figure.subplots(1, 2), (5, 3), strict=True):
        for number in range(count):
            axes.plot([0, 1], [0, number], label=f"loss {count} {number}")
    finish(figure, tmp_path / "chart.png")
    assert not figure.legends and [len(axes.get_legend().get_texts()) for axes in figure.axes] == [5, 3]


def test_names_without_what_does_not_tell_them_apart() -> None:
    assert short(["shipped", "runs/a/best.safetensors"]) == ["shipped", "best"]
    assert short(["x/a/best.safetensors", "x/b/best.safetensors"]) == ["a/best", "b/best"]
    assert short(["x/a/best.pt", "y/a/best.pt"]) == ["x/a/best", "y/a/best"]
    assert short(["x/best.safetensors", "x/best.onnx"]) == ["x/best.safetensors", "x/best.onnx"]
