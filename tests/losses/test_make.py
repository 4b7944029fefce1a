"""From what a user writes to a loss."""

import inspect

import pytest

from manyhot.errors import OptionError
from manyhot.labels import LabelSpace
from manyhot.losses import (
    BCE,
    LOSSES,
    Asymmetric,
    FusedLinearLoss,
    GroupSoftmax,
    Mixed,
    PropensityScored,
    Unbiased,
    boosting_objective,
    make_loss,
)
from manyhot.losses.base import arguments
from manyhot.losses.make import short_name


def test_name_call_class_and_instance():
    assert isinstance(make_loss("asl"), Asymmetric)
    loss = make_loss("asl(gamma_neg=2, clip=0.1, reduction='sum')")
    assert (loss.gamma_neg, loss.clip, loss.reduction) == (2, 0.1, "sum")
    assert make_loss(Asymmetric, reduction="sum").reduction == "sum"
    assert make_loss(loss) is loss


def test_context_goes_to_those_that_want_it_and_after_the_spec():
    assert make_loss("bce", label_counts=[1, 2], num_rows=5, reduction="sum").reduction == "sum"
    assert make_loss("bce(reduction='mean')", reduction="sum").reduction == "mean"
    assert len(make_loss("ldam", label_counts=[1, 2]).margins) == 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("asll", "did you mean asl"),
        ("asl(gama_neg=2)", "did you mean gamma_neg"),
        ("asl(2)", r"expected a loss like 'asl' or 'asl\(gamma_neg=2\)'"),
        ("asl(gamma_neg=", "expected a loss like"),
        ("asl(gamma_neg=__import__('os'))", "expected a loss like"),
        (3, "must be a name, a class or an instance, got 3"),
        ("asl(gamma_neg=-1)", "gamma_neg must be >= 0"),
    ],
)
def test_what_is_not_a_loss_is_refused_with_the_mend(spec, message):
    with pytest.raises(OptionError, match=message):
        make_loss(spec)


@pytest.mark.parametrize("name", LOSSES)
def test_every_loss_is_made_from_what_training_knows(name):
    assert isinstance(make_loss(name, label_counts=[3, 1], num_rows=10, names=["a", "b"]), LOSSES[name])


@pytest.mark.parametrize("kind", [*LOSSES.values(), Mixed, GroupSoftmax], ids=lambda kind: kind.__name__)
def test_a_misspelt_argument_is_refused_and_the_near_ones_named(kind):
    context = {"label_counts": [3, 1], "num_rows": 10, "space": LabelSpace(["a", "b"]), "groups": [[0, 1]]}
    context["parts"] = {"independent": Asymmetric()}
    taken = {name: value for name, value in context.items() if name in arguments(kind)}
    with pytest.raises(OptionError, match=r"an argument of .* did you mean reduction"):
        kind(**taken, reductoin="sum")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Asymmetric(gama_neg=2), "did you mean gamma_neg"),
        (lambda: BCE(weight=[1.0]), "did you mean pos_weight or label_weight"),
        (lambda: GroupSoftmax([[0, 1]], allow_nones=True), "did you mean allow_none"),
        (lambda: make_loss("asl", gama=2), "did you mean gamma_pos or gamma_neg"),
        (lambda: make_loss("bce", gamma_neg=2), "an argument of BCE must be one of .*'gamma_neg'"),
        (lambda: boosting_objective("asl", gama=2), "did you mean gamma_pos or gamma_neg"),
        (lambda: FusedLinearLoss("asl(gama_neg=2)"), "did you mean gamma_neg"),
    ],
)
def test_no_door_lets_a_foreign_argument_in(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize(
    "name", ["ASL", "Asl(gamma_neg=2)", "Asymmetric", "asymmetric(gamma_neg=2)", " asl "]
)
def test_names_of_any_case_and_of_classes_are_understood(name):
    loss = make_loss(name)
    assert isinstance(loss, Asymmetric)
    assert loss.gamma_neg == (2 if "2" in name else 4)


def test_every_class_is_found_by_its_name():
    for short, kind in LOSSES.items():
        for name in (kind.__name__, short, short.upper(), short.replace("-", "_")):
            assert short_name(name) == short


@pytest.mark.parametrize("name", ["logit-adjusted", LOSSES["logit-adjusted"]], ids=["name", "class"])
def test_what_a_loss_needs_of_the_training_set_is_named(name):
    message = (
        r"LogitAdjusted needs label_counts and num_rows of the training set: .*label_counts=\.\.\., num_r"
    )
    with pytest.raises(OptionError, match=message):
        make_loss(name)


def test_propensities_by_label_name():
    loss = PropensityScored({"b": 0.5}, names=["a", "b", "c"])
    assert loss.inverse.tolist() == [1.0, 2.0, 1.0]
    with pytest.raises(OptionError, match="propensity by label name needs the label names"):
        Unbiased(propensity={"b": 0.5})


def numbers(kind):
    """Names of the arguments of a loss that are numbers."""
    return [
        p.name
        for p in inspect.signature(kind.__init__).parameters.values()
        if type(p.default) in (int, float)
    ]


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("wrong", [float("nan"), "a"])
def test_every_number_is_checked(name, wrong):
    for argument in numbers(LOSSES[name]):
        with pytest.raises(OptionError, match=argument):
            make_loss(name, label_counts=[3, 1], num_rows=10, **{argument: wrong})


def test_weights_by_scheme_and_wrong_weights_name_the_mend():
    with pytest.raises(OptionError, match=r"label_weights\(targets, 'balanced'\)"):
        make_loss("bce(pos_weight='balanced')")
    with pytest.raises(OptionError, match="pos_weight must be finite and >= 0"):
        make_loss("bce", pos_weight=[1.0, float("nan")])
