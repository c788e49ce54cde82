"""Counting over many images in several processes, where there are enough images for that."""

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TypeVar

#: images per message between processes: few, for the progress shown
CHUNK = 16
#: images that take about as long as starting a process and its imports
IMAGES_PER_PROCESS = 250

Chunk = TypeVar("Chunk")
Part = TypeVar("Part")


def fan_out(
    count: Callable[[Chunk], Part], chunks: Sequence[Chunk], *, images: int, workers: int
) -> Iterator[Part]:
    """What `count` gives for each chunk, in order.

    images: in all chunks. workers: processes that may share the chunks; for few images this one does it.
    `count`, chunks and parts are sent between processes.
    """
    processes = min(workers, images // IMAGES_PER_PROCESS, len(chunks))
    if processes <= 1:
        yield from map(count, chunks)
        return
    # not forked: the caller may run threads (torch, OpenCV), and a forked copy of them can hang
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        # They inherit the mask: Ctrl-C reaches this process alone, and none of them prints a traceback.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
        try:
            parts = pool.map(count, chunks)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield from parts
