"""What can be wrong is found before the data is read, or before anything is trained."""

import pytest

from manyhot.errors import InputError, OptionError, RunError
from manyhot.runs import fit
from manyhot.runs.events import DataRead, ModelBuilt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"goal": "f1_makro"}, "goal .f1_makro. is none of .* did you mean f1_macro"),
        ({"goal": {"a": "f1_macro", "*": "precision > 0.9"}}, "did you mean precision >= 0.9"),
        ({"loss": "bse"}, "loss .bse. is none of .*bce"),
        ({"loss": "asl(gama_neg=2)"}, "an argument of asl .*gamma_neg"),
        ({"loss": 3}, "loss must be a name, a class or an instance, got 3"),
        ({"encoder": "mpl"}, "encoder must be one of .*; did you mean mlp"),
        ({"preparation": "tfid"}, "preparation must be one of .*; did you mean tfidf"),
        ({"pos_weight": "balancd"}, "pos_weight must be one of .*; did you mean balanced"),
        ({"monitor": "f1_makro"}, "metric .f1_makro. is none of .*f1_macro"),
        ({"device": "gpu"}, "device gpu cannot be used here"),
        ({"fractions": (0.5, 0.5)}, "fractions must be three positive shares"),
        ({"epochs": 0}, "epochs must be >= 1"),
        ({"seed": -1}, r"seed must be in \[0, 9223372036854775807\], got -1"),
        ({"seed": 10**20}, r"seed must be in \[0, 9223372036854775807\], got 1000"),
    ],
)
def test_options_are_looked_at_before_the_data(options, message):
    with pytest.raises(OptionError, match=message):
        fit("no/such/file.csv", **options)


def test_the_folder_is_looked_at_before_the_data(point_run, tmp_path):
    for folder, message in (
        (point_run.folder, "holds a finished run already"),
        (tmp_path / "file", "is a file: choose another name"),
        (tmp_path / "file" / "run", "no folder that may be written"),
        (tmp_path, "is not empty and not a run"),
    ):
        (tmp_path / "file").write_text("x")
        with pytest.raises(RunError, match=message):
            fit("no/such/file.csv", out=folder)


@pytest.mark.parametrize(
    ("goal", "error", "message"),
    [
        ({"rihgt": "f1_macro", "*": "hamming"}, InputError, "rihgt"),
        ({"right": "f1_macro"}, OptionError, "no goal for label 'up' and 1 more; add a goal for"),
    ],
)
def test_goals_by_label_are_looked_at_before_the_training(points, goal, error, message):
    heard = []
    with pytest.raises(error, match=message):
        fit(points, goal=goal, on_event=heard.append)
    assert [type(event) for event in heard] == [DataRead]


def test_a_loss_is_made_before_the_model(points):
    heard = []
    with pytest.raises(OptionError, match="gamma_neg must be >= 0"):
        fit(points, loss="asl(gamma_neg=-2)", on_event=heard.append)
    assert ModelBuilt not in map(type, heard)


def test_labels_without_features_are_not_trained(shared_data):
    with pytest.raises(InputError, match=r"no features, only labels: .* lay the features"):
        fit(shared_data / "native" / "xmc_eurlex4k_labels" / "trn_X_Y.txt")
