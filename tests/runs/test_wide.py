"""A whole fit on 4,000 labels without a dense matrix of targets or scores anywhere."""

import numpy as np
import polars as pl
import pytest

from manyhot.data import Table, Texts
from manyhot.labels import LabelSpace, Targets
from manyhot.models import KEPT, Model
from manyhot.runs import fit, load

LABELS, ROWS = 4_000, 3_000
LOOKED_AT = 1_050_000
"""Cells that may be dense: those of the few rows whose scores are looked at for a diagnosis."""


def wide_texts(rows: int = ROWS, seed: int = 0) -> tuple[list[str], Targets, LabelSpace]:
    """Texts that hold a word for each of their labels; the labels' frequencies fall like 1 / rank."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(3, LABELS + 3)
    own = [np.unique(rng.choice(LABELS, 3, p=share / share.sum())) for _ in range(rows)]
    texts = [" ".join([*(f"word{label}" for label in labels), "the", "day"]) for labels in own]
    return (
        texts,
        Targets.from_index_lists(own, LABELS),
        LabelSpace(tuple(f"label {n}" for n in range(LABELS))),
    )


@pytest.fixture
def no_wide_matrix(monkeypatch):
    """Dense targets of more than a few rows, and dense scores or logits of any, are an error."""
    to_dense = Targets.to_dense

    def guarded(targets, *arguments, **options):
        assert np.prod(targets.shape) <= LOOKED_AT, f"dense targets of {targets.shape}"
        return to_dense(targets, *arguments, **options)

    def refused(*_):
        raise AssertionError("scores of all rows and labels at once")

    monkeypatch.setattr(Targets, "to_dense", guarded)
    monkeypatch.setattr(Model, "_in_batches", refused)


def test_the_guard_sees_a_dense_matrix(no_wide_matrix):
    with pytest.raises(AssertionError, match=r"dense targets of \(400, 4000\)"):
        Targets.negative(400, 4000).to_dense()


def test_a_fit_a_prediction_and_an_evaluation_make_no_wide_matrix(no_wide_matrix, tmp_path):
    texts, targets, space = wide_texts()
    table = Table.of(Texts(texts), targets, space)
    options = {"encoder": "mlp", "encoder_options": {"hidden": [32]}, "epochs": 6, "learning_rate": 1e-2}
    run = fit(table, out=tmp_path / "run", goal="f1_micro", **options)
    assert run.history.options.head == "fused"
    assert run.metrics["f1_micro"] > 3 * max(run.metrics.baseline["f1_micro"], 0.05)
    assert run.metrics["p@1"] > 2 * run.metrics.baseline["p@1"]
    assert "log_loss" not in run.metrics  # it needs every score
    assert "psp@5" in run.metrics
    kept = pl.read_parquet(tmp_path / "run" / "predictions.parquet")
    assert kept["scores"].to_numpy().shape == (len(kept), KEPT)
    assert np.all(np.diff(kept["scores"].to_numpy(), axis=1) <= 0)
    again = load(tmp_path / "run")
    predicted = again.predict(texts[:50])
    assert list(predicted) == list(run.predict(texts[:50]))
    assert [len(row) for row in again.predict(texts[:3], topk=150)] == [150] * 3
    (record,) = again.predict(texts[:1]).records(all_scores=True)
    assert len(record["scores"]) == KEPT
    result = again.evaluate(texts[:300], targets.rows(slice(0, 300)), tuned_rows="allow")
    assert result["p@1"] > result.baseline["p@1"]
