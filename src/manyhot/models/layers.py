"""Layers that PyTorch lacks: a linear layer for compressed rows, an embedding for coded columns."""

from typing import Any

import torch
from torch import Tensor, nn

from manyhot.models.prepared import SparseBatch


class SparseLinear(nn.Module):
    """`nn.Linear` for a `SparseBatch`; costs what the non-zero features cost.

    The weight is kept as (inputs, outputs), so that a feature's row is one piece of memory.

    Args:
        inputs: number of features.
        outputs: width of the result.
    """

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(inputs, outputs))
        self.bias = nn.Parameter(torch.zeros(outputs))
        # The rows of TF-IDF and of most sparse tables have length about 1, whatever their width.
        if not self.weight.is_meta:
            nn.init.normal_(self.weight, std=outputs**-0.5)

    def forward(self, batch: SparseBatch) -> Tensor:
        """(rows, outputs) float32."""
        if batch.device.type == "cpu":
            product: Any = _SparseProduct.apply(batch, self.weight)
        else:
            product = _bag(batch, self.weight)
        return product + self.bias


class _SparseProduct(torch.autograd.Function):
    """Rows times weight on a CPU, with a gradient that touches the features of the batch only.

    PyTorch's own gradients fill a fresh (inputs, outputs) matrix with zeros: at 100,000 features and
    90 labels, 22 to 44 ms a step. SciPy writes into memory that the system hands out as zeros and
    that costs nothing where it is not touched: 7 ms.
    """

    @staticmethod
    def forward(ctx: Any, batch: SparseBatch, weight: Tensor) -> Tensor:
        ctx.batch = batch
        return _bag(batch, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, Tensor]:
        (gradient,) = gradients
        return None, torch.from_numpy(ctx.batch.to_scipy().T @ gradient.contiguous().numpy())


def _bag(batch: SparseBatch, weight: Tensor) -> Tensor:
    return nn.functional.embedding_bag(
        batch.columns, weight, batch.starts[:-1], mode="sum", per_sample_weights=batch.values.to(weight.dtype)
    )


class ColumnEmbedding(nn.Module):
    """Replaces the last columns of a matrix, which hold codes, by a learned vector for each code.

    Code 0 stands for a missing or never seen category; its vector starts at zero.

    Args:
        width: columns of the input, codes included.
        categories: number of codes of each of the last columns, code 0 included.
    """

    def __init__(self, width: int, categories: tuple[int, ...]) -> None:
        super().__init__()
        self.numeric = width - len(categories)
        sizes = [min(50, round(1.6 * count**0.56)) for count in categories]
        self.tables = nn.ModuleList(
            nn.Embedding(count, size) for count, size in zip(categories, sizes, strict=True)
        )
        self.width = self.numeric + sum(sizes)
        for table in self.tables:
            assert isinstance(table, nn.Embedding)
            nn.init.normal_(table.weight, std=table.embedding_dim**-0.5)
            nn.init.zeros_(table.weight[0])

    def forward(self, values: Tensor) -> Tensor:
        """(rows, self.width) of a (rows, width) matrix."""
        codes = values[:, self.numeric :].long()
        vectors = [table(codes[:, place]) for place, table in enumerate(self.tables)]
        return torch.cat([values[:, : self.numeric], *vectors], dim=1)
