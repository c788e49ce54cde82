"""What can go wrong in a way that the user, not a programmer, has to act on."""


class UserError(Exception):
    """A mistake in the configuration, the data or the call.

    The message names the file, key or image, the value found, and what is allowed. Commands print it
    without a traceback and exit with 1.
    """


class Preempted(Exception):
    """A training was asked to leave (SIGTERM, SIGUSR1), has saved a checkpoint and left."""

    #: exit status of a command that saved and left: EX_TEMPFAIL of sysexits.h, "try again later"
    EXIT_STATUS = 75
