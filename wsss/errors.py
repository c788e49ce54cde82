"""What can go wrong in a way that the user, not a programmer, has to act on; and two ways to end early."""

from collections.abc import Sequence


class UserError(Exception):
    """A mistake in the configuration, the data or the call.

    The message names the file, key or image, the value found, and what is allowed. Commands print it
    without a traceback and exit with 1.
    """

    EXIT_STATUS = 1

    def __init__(self, message: str) -> None:
        # torch raises the error of a data-loading process again, its whole traceback as the message.
        super().__init__(message.rpartition(f"{__name__}.{UserError.__qualname__}: ")[2].strip())


class Preempted(Exception):
    """A training was stopped by a signal (SIGTERM, SIGUSR1) and has saved a checkpoint."""

    #: EX_TEMPFAIL of sysexits.h, "try again later"
    EXIT_STATUS = 75


class PeerLost(Exception):
    """Another process of the same training has ended, and reports why, or does not answer."""

    #: EX_UNAVAILABLE of sysexits.h
    EXIT_STATUS = 69


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names for a message, such as `a, b and 3 more`."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
