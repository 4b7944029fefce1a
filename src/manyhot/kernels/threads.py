"""A few threads for kernels that hold no lock: contiguous parts of the work, one a thread."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

MOST = 8


def thread_count() -> int:
    """Threads that kernels may use: OMP_NUM_THREADS, or this process's cores; at most 8."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked) > 0:
        return min(int(asked), MOST)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, MOST)


def spread(work: Callable[[int, int], object], size: int, grain: int = 1) -> None:
    """Call work(first, last) on parts that together cover range(size), each of at least `grain` items."""
    parts = max(1, min(thread_count(), size // grain))
    edges = [size * part // parts for part in range(parts + 1)]
    if parts == 1:
        work(0, size)
        return
    with ThreadPoolExecutor(parts, "kernel") as pool:
        for done in [pool.submit(work, first, last) for first, last in pairwise(edges)]:
            done.result()
