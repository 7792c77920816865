"""Every process the benchmark starts: started here, stopped here, and none outlives it."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bench import procfs
from bench.failure import Failure

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_LIBC = ctypes.CDLL(None, use_errno=True)


def _die_with_parent():
    """For programs without children. A master that dies with us would hide its workers from the guard."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


class Processes:
    """Context manager. Leaving it kills everything that was started and all its descendants.

    Orphans that were adopted and killed stay zombies until then; procfs does not see them.
    """

    def __init__(self, folder):
        """folder: removed when this process is killed; else whoever made it removes it."""
        self._folder = folder
        self._running = {}
        self._guard = None

    def __enter__(self):
        # Orphaned grandchildren (workers of a master that was killed) become ours, so that they can be found.
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        self._guard = subprocess.Popen([sys.executable, str(Path(__file__).with_name("guard.py")),
                                        str(self._folder)], stdin=subprocess.PIPE, start_new_session=True, text=True)
        return self

    def __exit__(self, *_):
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a second Ctrl-C must not leave half of them behind
        for process in list(self._running):
            self.stop(process)
        self._kill_orphans()
        self._guard.stdin.close()
        self._guard.wait(timeout=10)
        _reap_adopted()

    def start(self, argv, log, **options):
        """Starts a program that stays, its output in the file `log`. Returns the Popen."""
        with open(log, "ab") as output:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", output)
            process = subprocess.Popen([str(word) for word in argv], stderr=output, start_new_session=True,
                                       **options)
        self._running[process] = (process.pid, procfs.start_time(process.pid) or 0)
        self._tell_guard("+", process)
        return process

    def stop(self, process):
        """Ends the process and all its descendants: asks first, kills what is left after a second."""
        family = [(pid, procfs.start_time(pid)) for pid in procfs.tree([process.pid])]
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=10)
        for pid, started in family:
            if started is not None and procfs.start_time(pid) == started:
                _kill(pid)
        if process in self._running:
            self._tell_guard("-", process)
            del self._running[process]

    def run(self, argv, timeout, stdin=None):
        """Runs a program that ends by itself; returns its stdout. Failure when it fails or takes too long."""
        try:
            done = subprocess.run([str(word) for word in argv], input=stdin or "", text=True, capture_output=True,
                                  timeout=timeout, check=False, preexec_fn=_die_with_parent)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{Path(argv[0]).name} was not done after {timeout:.0f} s") from error
        except OSError as error:
            raise Failure(f"{argv[0]} could not be run: {error}") from error
        if done.returncode != 0:
            words = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
            raise Failure(f"{Path(argv[0]).name} failed: {words[-1]}")
        return done.stdout

    def _tell_guard(self, sign, process):
        pid, started = self._running[process]
        self._guard.stdin.write(f"{sign}{pid} {started}\n")
        self._guard.stdin.flush()

    def _kill_orphans(self):
        own = {os.getpid(), self._guard.pid}
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            left = [pid for pid in procfs.tree([os.getpid()]) if pid not in own]
            if not left:
                return
            for pid in left:
                _kill(pid)
                time.sleep(0.02)


def _reap_adopted():
    """Waits for the adopted orphans that were killed. Only for the end: Popen waits for its own children."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def _kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
