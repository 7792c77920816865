"""Waiting for a condition, never for a time: a test goes on as soon as what it waits for is true."""

import os
import time


def patience() -> float:
    """How much longer than on a quiet machine with a release build things may take (sanitizers, shared cores)."""
    return float(os.environ.get("TUNNEL_E2E_PATIENCE", "1"))


def wait_until(condition, deadline: float = 15.0, what: str = ""):
    """Returns the first true value of condition(); AssertionError when there is none before the deadline (seconds).

    An AssertionError, OSError or KeyError of the condition counts as "not yet"; the last one is shown at the end.
    """
    end = time.monotonic() + deadline * patience()
    problem = None
    while True:
        try:
            value = condition()
            if value:
                return value
            problem = None
        except (AssertionError, OSError, KeyError, ValueError) as error:
            problem = error
        if time.monotonic() >= end:
            text = what or getattr(condition, "__name__", "the condition")
            raise AssertionError(f"waited {deadline * patience():.0f} s in vain for: {text}" +
                                 (f" ({problem!r})" if problem else ""))
        time.sleep(0.02)


def holds_for(seconds: float, condition, what: str = "") -> None:
    """AssertionError as soon as condition() is false within the next `seconds`: for what must not happen."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if not condition():
            raise AssertionError(f"did not hold for {seconds:.1f} s: {what or getattr(condition, '__name__', 'the condition')}")
        time.sleep(0.05)
