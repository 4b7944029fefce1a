"""As many threads of torch as a model's batches have work for.

Threads wait for each other after every operation. Where an operation takes microseconds that is most of the
time, and on a machine that does other work too, nearly all of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from manyhot.models.model import Model

SHARE = 2**24
"""Multiplications that are worth a thread: about a millisecond."""


@contextmanager
def threads_for(model: "Model", rows: int) -> Iterator[None]:
    """Limit torch to the threads that batches of so many rows are worth; images are worth all there are.

    The number follows from the model and the rows alone, so that the same training gives the same weights.
    """
    before = torch.get_num_threads()
    if model.preparation.shape.form == "image":
        yield
        return
    work = rows * sum(parameter.numel() for parameter in model.parameters())
    torch.set_num_threads(min(before, max(1, work // SHARE)))
    try:
        yield
    finally:
        torch.set_num_threads(before)
