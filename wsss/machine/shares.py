"""How many processes train together: each needs an equal share of the batch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Shares:
    """A batch to divide. images: of the batch. least: images that each process needs."""

    images: int
    least: int = 1

    def processes(self, most: int, *, nodes: int = 1) -> int:
        """The largest number of processes on each of `nodes`, up to `most`, with equal shares of the batch.

        0 where even one process on each node is too many.
        """
        fits = (
            count
            for count in range(most, 0, -1)
            if self.images % (nodes * count) == 0 and self.images // (nodes * count) >= self.least
        )
        return next(fits, 0)

    def nodes(self, most: int, processes: int) -> int:
        """How many nodes, up to `most`, give the largest number of processes, `processes` at most on each."""
        return max(
            range(1, most + 1), key=lambda nodes: (nodes * self.processes(processes, nodes=nodes), -nodes)
        )

    def fewer(self, used: int, wanted: int) -> str:
        """The reason why `used` processes train instead of `wanted`, for the log."""
        needs = f", of at least {self.least} images" if self.least > 1 else ""
        because = f"each needs an equal share{needs} of the batch of {self.images}"
        return f"{used} of {wanted} processes are used: {because}"
