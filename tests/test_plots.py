"""Figures are legible wherever their curves lie."""

import numpy as np
import pytest

from jaxrd import plots
from jaxrd.curve import Curve
from jaxrd.solution import Status


@pytest.mark.parametrize(("start", "inside"), [(0.1, True), (0.75, False)])
def test_no_line_runs_through_the_legend(start, inside):
    """A good classifier leaves the upper right corner free; the curves of a bad one lie there."""
    figure, ax = plots.new_figure()
    d = np.linspace(start, 0.9, 30)
    rate = 2.3 * ((0.9 - d) / (0.9 - start)) ** 2
    none = np.full(30, np.nan)
    curve = Curve(d, rate, none, none, np.full(30, int(Status.ACHIEVABLE)))
    meanings = dict.fromkeys(("TMRD", "S&C", "E&C"), "a few words")
    plots.limits_axes(
        ax, dict.fromkeys(meanings, curve), task_model_distortion=start, zero_rate_distortion=0.9, meanings=meanings
    )
    figure.draw_without_rendering()
    box = ax.get_legend().get_window_extent()
    assert (box.y0 > ax.bbox.y0) == inside
    assert not any(box.count_contains(ax.transData.transform(line.get_xydata())) for line in ax.lines)


def test_points_that_were_asked_for_bear_their_own_rates():
    """A contour is straight between the points of the grid: it would give (.5, .5) the mean of the corners."""
    figure, ax = plots.new_figure()
    ends = np.array([0.0, 1.0])
    rate = np.array([[2.0, 1.0], [1.0, 0.0]]) * np.log(2)
    inside = (0.5, 0.5 * np.log(2), 0.7 * np.log(2))
    outside = [(1.1, 0.1, 0.3), (-0.1, 0.1, 0.3), (0.5, 0.7, 0.3), (0.5, -0.1, 0.3), (0.5, 0.1, np.inf)]
    certified = np.full((2, 2), int(Status.CONVERGED))
    plots.surface_axes(ax, ends, ends * np.log(2), rate, certified, asked=[inside, *outside])
    figure.draw_without_rendering()
    (text,) = (text for text in ax.texts if hasattr(text, "xy"))
    assert (text.get_text(), text.xy) == ("0.7", pytest.approx((0.5, 0.5)))
    (dots,) = ax.lines
    assert dots.get_xydata().tolist() == [pytest.approx([0.5, 0.5])]
