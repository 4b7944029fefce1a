"""Every loss teaches a linear model to order labels within rows and rows within labels."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from manyhot.losses import LOSSES, make_loss

ROWS, LABELS = 300, 5
# These take what the model is sure of, against the targets, for a missing positive; here none is missing.
OPTIONS = {"large-loss": {"rate": 0.0005}, "splc": {"start_epoch": 100}}


def linear_rule(seed=0):
    draw = np.random.default_rng(seed)
    inputs = draw.normal(size=(ROWS, 10))
    return inputs, (inputs @ draw.normal(size=(10, LABELS)) > 1).astype(np.float32)


@pytest.mark.parametrize("name", LOSSES)
def test_learns_a_linear_rule(name):
    inputs, targets = linear_rule()
    torch.manual_seed(0)
    model = torch.nn.Linear(10, LABELS)
    context = {"label_counts": targets.sum(0), "num_rows": ROWS}
    loss = make_loss(name, **context, **OPTIONS.get(name, {}))
    optimizer = torch.optim.Adam([*model.parameters(), *loss.parameters()], lr=0.05)
    x = torch.tensor(inputs, dtype=torch.float32)
    values = []
    for epoch in range(60):
        loss.set_epoch(epoch)
        optimizer.zero_grad()
        value = loss(model(x), targets, row_ids=torch.arange(ROWS))
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert np.isfinite(values).all()
    if not loss.training_state():  # weights that follow the training move the value too
        assert values[-1] < values[0]
    scores = model(x).detach().numpy()
    ranked = [
        (row[y == 1][:, None] > row[y == 0]).mean()
        for row, y in zip(scores, targets, strict=True)
        if 0 < y.sum() < LABELS
    ]
    assert np.mean(ranked) > 0.7
    assert average_precision_score(targets, scores) > targets.mean() + 0.15
