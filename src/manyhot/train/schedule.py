"""The learning rate of a step: a formula of its number, so that a resumed run needs no state."""

import math


def rate_factor(step: int, steps: int, warmup: float, schedule: str) -> float:
    """Share of the highest learning rate, in (0, 1].

    Args:
        step: number of the step, from 0.
        steps: of the whole training.
        warmup: share of all steps in which the rate rises in a straight line.
        schedule: "cosine" falls to 0 just after the last step; "constant" stays at 1.
    """
    rising = math.ceil(warmup * steps)
    if step < rising:
        return (step + 1) / rising
    if schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))
