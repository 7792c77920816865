"""A child process whose lines are collected while it runs and whose end is checked for sanitizer reports."""

import os
import re
import shutil
import signal
import subprocess
import threading
import time

from .system import user_arguments
from .waiting import patience

SANITIZER_REPORT = re.compile(
    r"ERROR: (Address|Leak|Memory)Sanitizer|WARNING: ThreadSanitizer|runtime error:|LeakSanitizer has encountered"
    r"|terminate called|Assertion .* failed")


def wrapped(argv, user=None, descriptors=None, leader=True) -> list[str]:
    """The command line that runs argv as `user`, with at most `descriptors` open files, and never outlives the test."""
    front = [shutil.which("setpriv") or "/usr/bin/setpriv"]
    if leader:
        front += ["--pdeathsig", "KILL"]
    front += user_arguments(user)
    if descriptors is not None:
        front += ["--", shutil.which("prlimit") or "/usr/bin/prlimit", f"--nofile={descriptors}:{descriptors}"]
    return front + ["--"] + [str(part) for part in argv]


def environment(extra=None) -> dict[str, str]:
    """The environment of children: nothing of the developer's own set-up reaches a test."""
    names = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "LSAN_OPTIONS")
    result = {name: os.environ[name] for name in names if name in os.environ}
    result.setdefault("PATH", "/usr/local/bin:/usr/bin:/bin")
    result["HOME"] = "/nonexistent"
    result.update(extra or {})
    return result


class Lines:
    """The lines of one stream, kept by a thread that reads until the stream ends."""

    def __init__(self, stream):
        self._lines: list[str] = []
        self._changed = threading.Condition()
        self._ended = False
        self._thread = threading.Thread(target=self._collect, args=(stream,), daemon=True)
        self._thread.start()

    def _collect(self, stream):
        for raw in stream:
            with self._changed:
                self._lines.append(raw.decode(errors="replace").rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def count(self) -> int:
        with self._changed:
            return len(self._lines)

    def text(self, start: int = 0) -> str:
        with self._changed:
            return "\n".join(self._lines[start:])

    def wait_for(self, pattern: str, deadline: float, start: int):
        expression = re.compile(pattern)
        end = time.monotonic() + deadline * patience()
        position = start
        with self._changed:
            while True:
                for line in self._lines[position:]:
                    found = expression.search(line)
                    if found:
                        return found
                position = len(self._lines)
                left = end - time.monotonic()
                if left <= 0 or self._ended:
                    return None
                self._changed.wait(left)

    def join(self, deadline: float):
        self._thread.join(deadline)


class Process:
    """A running program. Owned by a test case, which ends it (see TunnelTest.start)."""

    def __init__(self, argv, *, name=None, user=None, env=None, cwd=None, descriptors=None, stdin=subprocess.DEVNULL):
        self.name = name or os.path.basename(str(argv[0]))
        self._popen = subprocess.Popen(wrapped(argv, user, descriptors), stdin=stdin, stdout=subprocess.PIPE,
                                       stderr=subprocess.PIPE, env=environment(env), cwd=cwd, start_new_session=True)
        self.stdin = self._popen.stdin
        self.out = Lines(self._popen.stdout)
        self.err = Lines(self._popen.stderr)
        self.killed = False

    @property
    def pid(self) -> int:
        return self._popen.pid

    def alive(self) -> bool:
        return self._popen.poll() is None

    def mark(self) -> int:
        """The place in the log from which a later wait_for_line is to look."""
        return self.err.count()

    def wait_for_line(self, pattern: str, deadline: float = 15.0, start: int = 0, stream: str = "err"):
        """The match of `pattern` in the first log line (or line of standard output) that has one."""
        found = (self.err if stream == "err" else self.out).wait_for(pattern, deadline, start)
        if found is None:
            raise AssertionError(f"{self.name} never said {pattern!r}; it said:\n{self.report()}")
        return found

    def report(self) -> str:
        state = "is running" if self.alive() else f"ended with {self._popen.returncode}"
        return (f"[{self.name} pid {self.pid} {state}]\n-- stdout --\n{self.out.text()[-4000:]}\n"
                f"-- stderr --\n{self.err.text()[-12000:]}")

    def send_signal(self, number: int) -> None:
        self._popen.send_signal(number)

    def kill(self) -> None:
        """kill -9, and gone when this returns."""
        self.killed = True
        self._popen.kill()
        self._popen.wait()

    def wait(self, deadline: float = 15.0) -> int:
        """The exit code; AssertionError when it still runs at the deadline."""
        try:
            code = self._popen.wait(deadline * patience())
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end within {deadline * patience():.0f} s:\n{self.report()}")
        self.out.join(5)
        self.err.join(5)
        return code

    def stop(self, number: int = signal.SIGTERM, deadline: float = 15.0) -> int:
        self.send_signal(number)
        return self.wait(deadline)

    def end(self) -> None:
        """For clean-up: whatever still runs of it and of its children ends now."""
        if self.alive():
            self._popen.send_signal(signal.SIGCONT)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass
        self._popen.wait()
        self.out.join(5)
        self.err.join(5)
        for stream in (self._popen.stdout, self._popen.stderr, self._popen.stdin):
            if stream is not None:
                stream.close()

    def sanitizer_report(self) -> str | None:
        text = self.err.text()
        return text if SANITIZER_REPORT.search(text) else None

    def crashed(self) -> bool:
        """Whether a signal ended it that nobody sent: a wild pointer, a failed assertion."""
        return self._popen.poll() in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGBUS, -signal.SIGILL, -signal.SIGFPE)

    def cpu_seconds(self) -> float:
        with open(f"/proc/{self.pid}/stat") as stat:
            fields = stat.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def threads(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))


def run(argv, *, user=None, env=None, cwd=None, input=None, deadline: float = 30.0, text=True):
    """Runs a program to its end: the completed process with stdout and stderr; never raises for an exit code."""
    done = subprocess.run(wrapped(argv, user), env=environment(env), cwd=cwd, input=input, capture_output=True, text=text,
                          timeout=deadline * patience(), **({} if input is not None else {"stdin": subprocess.DEVNULL}))
    errors = done.stderr if text else done.stderr.decode(errors="replace")
    if SANITIZER_REPORT.search(errors):
        raise AssertionError(f"{argv[0]} left a sanitizer report:\n{errors}")
    return done
