"""manyhot losses: the list, a page, the drawing, files, JSON."""

import json
from itertools import pairwise

import click
import numpy as np
import pytest

from manyhot.cli._canvas import Canvas
from manyhot.losses import LOSSES


def dots(canvas):
    """The set of dots that are drawn, as (row, column) from the top left."""
    found = set()
    for row, line in enumerate(canvas.lines()):
        for column, char in enumerate(click.unstyle(line).split("│")[1]):
            bits = ord(char) - 0x2800
            # The braille block numbers its dots 1 2 3 7 down the left, 4 5 6 8 down the right side.
            places = {0: (0, 0), 1: (1, 0), 2: (2, 0), 3: (0, 1), 4: (1, 1), 5: (2, 1), 6: (3, 0), 7: (3, 1)}
            found |= {(4 * row + y, 2 * column + x) for bit, (y, x) in places.items() if bits >> bit & 1}
    return found


# ------------------------------------------------------------------ the list


def test_every_loss_is_listed_with_use_and_source(manyhot):
    result = manyhot("losses")
    assert result.exit_code == 0
    first_words = {line.split()[0] for line in result.stdout.splitlines() if line.strip()}
    assert set(LOSSES) <= first_words
    assert "Focal Loss for" in result.stdout
    assert "Focal losses: cross-entropy times a power" in result.stdout


def test_the_list_as_json_has_every_loss_with_its_arguments(manyhot):
    found = {entry["name"]: entry for entry in json.loads(manyhot("losses", "--json").stdout)}
    assert set(found) == set(LOSSES)
    assert [p["name"] for p in found["poly1"]["parameters"]] == ["epsilon"]
    assert found["poly1"]["parameters"][0]["default"] == "2.0"
    assert found["cb"]["needs"] == ["label_counts"]


# ------------------------------------------------------------------ one of them


def test_a_page_says_formula_defaults_use_trap_and_source(manyhot):
    text = manyhot("losses", "asl").stdout
    for part in ("q^gamma_neg log(1 - q)", "gamma_neg      4.0", "tune the cuts", "2009.14119", "bounded"):
        assert part in text
    assert "manyhot fit DATA --loss asl" in text
    assert "⠤⠤⠤ applies" in text
    assert max(map(len, text.splitlines())) <= 100


@pytest.mark.parametrize("name", ["large-loss", "em"])
def test_a_loss_that_learns_from_unknown_cells_draws_them_too(manyhot, name):
    assert "unknown" in manyhot("losses", name).stdout.split("⠤⠤⠤ applies")[1].splitlines()[0]


def test_arguments_change_what_is_drawn(manyhot):
    plain = json.loads(manyhot("losses", "focal", "--json").stdout)["traces"][0]
    sharper = json.loads(manyhot("losses", "focal(gamma=0)", "--json").stdout)["traces"][0]
    z = np.array(plain["logits"])
    np.testing.assert_allclose(sharper["costs"], np.log1p(np.exp(-z)), atol=1e-12)  # cross-entropy
    np.testing.assert_allclose(plain["costs"], np.log1p(np.exp(-z)) / (1 + np.exp(z)) ** 2, atol=1e-12)


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_plot_is_written(manyhot, tmp_path, ending):
    result = manyhot("losses", "asl(gamma_neg=2)", "--plot", f"asl.{ending}")
    assert result.exit_code == 0, result.output
    content = (tmp_path / f"asl.{ending}").read_bytes()
    assert content[:4] == b"\x89PNG" if ending == "png" else b"<svg" in content
    assert "'asl(gamma_neg=2)'" in result.stdout


def test_wrong_use_says_the_mend(manyhot):
    result = manyhot("losses", "asll")
    assert result.exit_code == 2
    assert "did you mean asl" in result.stderr
    assert "did you mean gamma" in manyhot("losses", "asl(gama=1)").stderr
    assert "asl.svg" in manyhot("losses", "--plot", "x.svg").stderr
    refused = manyhot("losses", "asl", "--plot", "asl.doc")
    assert refused.exit_code == 2
    assert ".png, .svg or .pdf, got asl.doc" in refused.stderr
    lost = manyhot("losses", "asl", "--plot", "missing/asl.png")
    assert lost.exit_code == 1
    assert "the plot cannot be written into missing/asl.png: No such file or directory" in lost.stderr
    text = manyhot("losses", "asl(gamma_neg='a')")
    assert text.exit_code == 2
    assert "gamma_neg must be a number, got 'a'" in text.stderr


def test_given_arguments_stand_beside_their_defaults(manyhot):
    text = manyhot("losses", "ASL(gamma_neg=2)").stdout
    assert "gamma_neg      2 (default 4.0)" in text
    assert "gamma_pos      1.0 " in text
    assert "manyhot.losses.Asymmetric(gamma_neg=2)(logits, targets)" in text
    assert "ClassDifficultyBalanced(label_counts=label_counts)(logits" in manyhot("losses", "cdb").stdout


# ------------------------------------------------------------------ the canvas


def test_a_straight_line_runs_from_corner_to_corner():
    canvas = Canvas(0, 1, width=5, height=2)
    canvas.curve([0, 1], "")
    found = dots(canvas)
    assert {(7, 0), (0, 9)} <= found
    assert len({column for _, column in found}) == 10
    assert canvas.lines()[0].startswith("1 │")
    assert canvas.lines()[-1].startswith("0 │")


def test_a_jump_is_joined_and_a_sparse_curve_is_not():
    joined, sparse = Canvas(0, 1, 4, 2), Canvas(0, 1, 4, 2)
    joined.curve([0, 0, 0, 1, 1, 1], "")
    sparse.curve([0, 0, 0, 1, 1, 1], "", every=2)
    rows = sorted({row for row, _ in dots(joined)})
    assert rows == list(range(8))
    assert all(b - a == 2 for a, b in pairwise(sorted(column for _, column in dots(sparse))))


def test_a_constant_curve_lies_in_the_middle():
    canvas = Canvas(3, 3, 4, 3)
    canvas.curve([3, 3], "")
    assert {row for row, _ in dots(canvas)} <= {5, 6}
