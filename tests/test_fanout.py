"""Counting in several processes: in order, and ended by Ctrl-C without their tracebacks."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from wsss.machine.fanout import fan_out

SCRIPT = """
import time
from wsss.machine.fanout import fan_out

def count(chunk):
    time.sleep(0.2)
    return chunk

if __name__ == "__main__":
    try:
        for part in fan_out(count, list(range(200)), images=1000, workers=2):
            print(part, flush=True)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_parts_are_in_the_order_of_their_chunks() -> None:
    assert list(fan_out(abs, [-3, 1, -2], images=1000, workers=2)) == [3, 1, 2]
    assert list(fan_out(abs, [-3, 1], images=2, workers=2)) == [3, 1], "too few for processes"


def test_ctrl_c_ends_the_processes_without_a_word(tmp_path: Path) -> None:
    """A terminal sends it to all of them."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out.endswith("interrupted\n") and len(out.splitlines()) < 50
    assert err == "" and process.returncode == 0
