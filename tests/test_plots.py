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
