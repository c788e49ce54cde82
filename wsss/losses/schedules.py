"""How the weight of an objective grows while the training goes on."""


def ramp(step: int, steps: int, start: float, end: float, share: float) -> float:
    """A weight that rises linearly from `start` to `end` over the first `share` of training, then stays.

    step: micro-steps done, from 0. steps: micro-steps of the whole training. share in [0, 1]; 0 means `end`
    from the first step on.
    """
    if share == 0:
        return end
    done = min(step / (steps * share), 1.0)
    return start + (end - start) * done
