"""One layer over many labels, spread over the processes of torchrun, against the same layer in one piece.

    torchrun --nproc-per-node 2 examples/labels_over_processes.py

Each process holds a run of the labels and trains it; the last line says how far loss and gradients are from
those of a single process. Runs alone as well.
"""

import os

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import distributed as dist

from manyhot.losses import FusedLinearLoss, ShardedFusedLinearLoss, top_k_labels

ROWS, FEATURES, LABELS = 32, 16, 5000


def main() -> None:
    rank, processes = dist.get_rank(), dist.get_world_size()

    torch.manual_seed(0)  # the same encoder output, layer and targets in every process
    hidden = torch.randn(ROWS, FEATURES)
    weight, bias = torch.randn(LABELS, FEATURES) / 4, torch.zeros(LABELS)
    columns = np.random.default_rng(0).integers(0, LABELS, ROWS * 3)
    targets = csr_array((np.ones(ROWS * 3), (np.repeat(np.arange(ROWS), 3), columns)), shape=(ROWS, LABELS))
    targets.data[:] = 1

    own = slice(LABELS * rank // processes, LABELS * (rank + 1) // processes)
    for name in ("bce", "zlpr"):
        whole = [t.clone().requires_grad_() for t in (hidden, weight, bias)]
        expected = FusedLinearLoss(name)(whole[0], whole[1], targets, whole[2])
        expected.backward()

        parts = [t.clone().requires_grad_() for t in (hidden, weight[own], bias[own])]
        cost = ShardedFusedLinearLoss(name)(parts[0], parts[1], targets, parts[2])
        cost.backward()

        wanted = (whole[0].grad, whole[1].grad[own], whole[2].grad[own])
        distance = max(float((p.grad - w).abs().max()) for p, w in zip(parts, wanted, strict=True))
        distance = torch.tensor(max(distance, float(abs(cost - expected).detach())))
        dist.all_reduce(distance, dist.ReduceOp.MAX)
        if rank == 0:
            loss = float(cost.detach())
            print(f"{name}: loss {loss:.6f}, {processes} processes differ by {float(distance):.1e}")

    _, best = top_k_labels(hidden, weight[own], bias[own], 3, group=dist.group.WORLD)
    assert torch.equal(best, (hidden @ weight.T + bias).topk(3, dim=1).indices)
    if rank == 0:
        print(f"the best 3 of {LABELS} labels, found in {processes} parts, are those of the whole layer")


if "RANK" not in os.environ:  # not started by torchrun: a group of one
    os.environ |= {"RANK": "0", "WORLD_SIZE": "1", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
dist.init_process_group("gloo")
main()  # a function: what it made, and with it the last use of the group, is gone before the group is
dist.destroy_process_group()
