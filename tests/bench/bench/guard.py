"""Kills what the benchmark left behind when it was killed itself (a test's time limit sends SIGKILL).

Runs as its own process in its own session. On stdin: "+PID STARTTIME" when a process was started, "-PID STARTTIME"
when it was stopped. When stdin ends, everything that was not stopped is killed, with all its descendants, and the
folder that is the only argument is removed.
"""

import os
import shutil
import signal
import sys
from pathlib import Path

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import procfs  # noqa: E402


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    watched = set()
    for line in sys.stdin:
        name = tuple(int(word) for word in line[1:].split())
        if line[0] == "+":
            watched.add(name)
        else:
            watched.discard(name)
    roots = [pid for pid, started in watched if procfs.start_time(pid) == started]
    for pid in procfs.tree(roots):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    shutil.rmtree(sys.argv[1], ignore_errors=True)


if __name__ == "__main__":
    main()
