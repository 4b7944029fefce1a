"""A few threads that share the rows of a batch; the kernels they run do not hold the interpreter's lock."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

import torch

SHARE = 1 << 17  # cells that make a thread worth waking
ROW_GROUP = 8  # rows that always stay together, unless a kernel wants more

Result = TypeVar("Result")
_pool: ThreadPoolExecutor | None = None


def over_rows(
    run: Callable[[int, int], Result], rows: int, cells: int, group: int = ROW_GROUP
) -> list[Result]:
    """Results of run(first, last) over runs of rows, as many at once as torch has threads.

    Args:
        run: may treat up to `group` rows together, from the first one on.
        rows: number of rows.
        cells: number of cells in them.
        group: rows that always stay together, so that results do not depend on the number of threads.
    """
    groups = -(-rows // group)
    threads = min(torch.get_num_threads(), groups, cells // SHARE)
    if threads <= 1:
        return [run(0, rows)]
    cuts = [min(rows, groups * part // threads * group) for part in range(threads + 1)]
    spans = list(pairwise(cuts))
    others = [_threads().submit(run, *span) for span in spans[1:]]
    return [run(*spans[0]), *(other.result() for other in others)]


def _threads() -> ThreadPoolExecutor:
    global _pool
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="manyhot")
    return _pool


def _forget() -> None:
    """A forked process has the pool but none of its threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
