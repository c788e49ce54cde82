"""Weakly supervised semantic segmentation from image-level labels: the P-NOC chain as a library."""

import os

# Threads of torch that wait for each other by spinning stop each other where a core is shared, as on a busy
# machine or in two jobs at once (measured: a training step of 9 s instead of 1.1 s). It is read when torch is
# first imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
