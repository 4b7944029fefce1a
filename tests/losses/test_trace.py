"""What is drawn is what the loss costs: against closed forms, and slopes against differences."""

import numpy as np
import pytest
from scipy.special import expit, log_expit, logsumexp

from manyhot.errors import OptionError
from manyhot.losses import LOSSES, Focal, describe
from manyhot.losses.trace import new_figure, plot, trace

POINTS = [-3.0, -0.5, 0.0, 2.0]


def test_cross_entropy_of_one_cell():
    applies, not_applies = trace("bce", POINTS)
    np.testing.assert_allclose(applies.costs, -log_expit(POINTS))
    np.testing.assert_allclose(applies.gradients, expit(POINTS) - 1)
    np.testing.assert_allclose(not_applies.costs, -log_expit(-np.array(POINTS)))
    np.testing.assert_allclose(not_applies.gradients, expit(POINTS))
    assert [applies.side, not_applies.side] == ["applies", "does not apply"]


def test_zlpr_of_one_row():
    applies, _ = trace("zlpr", POINTS)
    by_hand = [
        logsumexp([0, -z, -1.0]) + logsumexp([0, -1.0, 0.0]) for z in POINTS
    ]  # the others: 1 applies; -1 and 0 do not
    np.testing.assert_allclose(applies.costs, by_hand)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_slopes_of_the_costs(name):
    # Where an argument detach_... keeps a part constant, what training sees is by default no derivative.
    detached = [p.name for p in describe(name).parameters if p.name.startswith("detach")]
    name += f"({', '.join(f'{argument}=False' for argument in detached)})"
    step, points = 1e-5, [-2.03, -0.61, 0.37, 1.93]  # off the kinks
    for middle, high, low in zip(
        trace(name, points),
        trace(name, [z + step for z in points]),
        trace(name, [z - step for z in points]),
        strict=True,
    ):
        np.testing.assert_allclose(
            middle.gradients, (high.costs - low.costs) / (2 * step), rtol=1e-4, atol=1e-6, err_msg=middle.side
        )


def test_a_trace_leaves_no_trace_behind():
    first, second = trace("eqlv2", POINTS), trace("eqlv2", POINTS)
    np.testing.assert_array_equal(first[0].costs, second[0].costs)


def test_unknown_cells_are_traced_where_they_teach():
    assert [one.side for one in trace("em", POINTS)] == ["applies", "does not apply", "unknown"]
    p = expit(np.array(POINTS))
    entropy = -p * np.log(p) - (1 - p) * np.log(1 - p)
    np.testing.assert_allclose(trace("em(alpha=1)", POINTS)[2].costs, -entropy)


def test_a_class_and_arguments_are_taken_and_nonsense_is_not():
    np.testing.assert_array_equal(trace(Focal, POINTS)[0].costs, trace("focal", POINTS)[0].costs)
    assert trace("focal(gamma=5)", POINTS)[0].costs[2] < trace("focal", POINTS)[0].costs[2]
    with pytest.raises(OptionError, match="did you mean"):
        trace("focall")


def test_a_plot_has_a_line_for_each_side():
    pytest.importorskip("matplotlib")
    _, axes = new_figure("asl")
    plot(trace("em", POINTS), axes)
    assert [len(axis.lines) for axis in axes] == [5, 5]  # three sides and two axes
    assert [text.get_text() for text in axes[0].get_legend().get_texts()][2] == "unknown"
