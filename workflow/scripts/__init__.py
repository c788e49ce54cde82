"""The steps: one script per rule, of the rule's name, run as `python -m workflow.scripts.<rule>`.

A script's imports take seconds. Until its work begins (`run_step`), Ctrl-C ends it without a traceback.
"""

import signal

from wsss.machine.torch_settings import set_torch_defaults

set_torch_defaults()
if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)
