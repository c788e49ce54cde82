"""Stopping a training: a scheduler's signal sets a flag that the loop checks between two steps."""

import os
import signal
from collections.abc import Iterable, Iterator
from multiprocessing.synchronize import Event
from types import FrameType
from typing import Any

#: what schedulers send before they end a job, and a terminal's Ctrl-C
STOP_SIGNALS = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopRequest:
    """While the block runs, the first signal sets `received`; a second Ctrl-C interrupts at once."""

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "StopRequest":
        for number in STOP_SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        if self.received is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.received = signal.Signals(number)


def started(loader: Iterable[Any]) -> Iterator[Any]:
    """The loader's batches; no signal reaches its processes before they have called `outlive_signals`."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        return iter(loader)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def outlive_signals(over: Event, _: int) -> None:
    """Let a data-loading process outlive the signals that its whole process group or job gets.

    Dying before the training that started it would look like a crash there. Once the training is `over`,
    SIGTERM ends it, as torch and Python expect of their processes.
    """

    def end(*_: object) -> None:
        if over.is_set():
            os._exit(0)

    for number in STOP_SIGNALS:
        signal.signal(number, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOP_SIGNALS)
