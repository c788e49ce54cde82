"""Snakemake, as `make demo` starts it: `python -m workflow --cores all`.

Its imports take seconds. Until it reads the rules, and calls `end_quietly_on_ctrl_c`, Ctrl-C ends it without
a traceback.
"""

import signal
import sys

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from snakemake.cli import main

sys.exit(main())
