#!/usr/bin/env python3
"""Runs the benchmark in its shortest form and checks that a table comes out and that nothing stays behind.

No bar on any number: how fast something is cannot be judged while other tests run.
"""

import argparse
import ctypes
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from bench import procfs  # noqa: E402
from bench.cases import CASES  # noqa: E402
from bench.subjects.own import PROGRAMS  # noqa: E402
from bench.workspace import Workspace, wait_until  # noqa: E402

CASE_NAMES = ["bulk1", "rr", "connect", "firstbyte", "idle"]


def subjects(build):
    """direct, and what is there of the others."""
    names = ["direct"]
    if Workspace.tool("haproxy"):
        names += ["haproxy", "haproxy-tls"] if Workspace.tool("openssl") else ["haproxy"]
    if all((build / "bin" / program).exists() for program in PROGRAMS):
        names += ["tunnel", "tunnel-encrypted"]
    return names


def run(build, names, folder):
    result = Path(folder) / "result.json"
    done = subprocess.run([sys.executable, HERE / "run.py", "--build", build, "--quick", "--cases",
                           ",".join(CASE_NAMES), "--peers", ",".join(names), "--json", result, "--bars"],
                          capture_output=True, text=True, timeout=240, check=False)
    print(done.stdout + done.stderr)
    assert done.returncode == 0, f"run.py ended with exit code {done.returncode}"
    return done.stdout, json.loads(result.read_text(encoding="utf-8"))


def check_numbers(names, table, result):
    cases = {case.name: case for case in CASES}
    rows = {(row["case"], row["subject"], row["metric"]): row for row in result["rows"]}
    for case_name in CASE_NAMES:
        for name in names:
            if case_name == "idle" and name == "direct":
                continue  # no tunnel, no memory
            for metric in cases[case_name].metrics:
                row = rows.get((case_name, name, metric.key))
                # CPU time is counted in ticks of 10 ms: so short a run may have none.
                if metric.key.startswith("cpu"):
                    continue
                assert row is not None, f"no {metric.key} of {name} in {case_name}"
                assert row["median"] > 0, f"{metric.key} of {name} in {case_name} is {row['median']}"
    if "haproxy" in names:
        assert rows["bulk1", "haproxy", "mb_per_second"]["ratio"] == 1
    for words in ("bulk download, 1 stream", "direct, no tunnel", "requests/s", "KiB/connection"):
        assert words in table, f"'{words}' is not in the table"


def check_told_again(table, folder):
    """The saved run gives the same tables, without a measurement, and a chart."""
    chart = Path(folder) / "chart.svg"
    done = subprocess.run([sys.executable, HERE / "run.py", "--from", Path(folder) / "result.json", "--bars", "--chart",
                           chart], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == table, f"another table than that of the measurement:\n{done.stdout}"
    assert "bars: both ends of the tunnel" in table
    assert ">direct, no tunnel<" in chart.read_text(encoding="utf-8")
    os.remove(chart)


def check_killed(build, folder):
    """Killed in the middle, as by a test's time limit, the benchmark takes its processes and its folder with it."""
    environment = {**os.environ, "TMPDIR": folder}
    # nginx has workers below its masters: those are what is easily left behind.
    peers = ["nginx" if Workspace.tool("nginx") else "direct"]
    process = subprocess.Popen([sys.executable, HERE / "run.py", "--build", build, "--seconds", "60", "--cases",
                                "bulk1", "--peers", ",".join(peers)], env=environment,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until(lambda: any(_is_load(pid) for pid in procfs.tree([process.pid])), "the first measurement", 60,
                   process)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=10)
    wait_until(lambda: not os.listdir(folder), "the folder to be removed", 20)


def _is_load(pid):
    try:
        return b"bulk" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False


def reap():
    try:
        while os.waitpid(-1, os.WNOHANG)[0] != 0:
            pass
    except ChildProcessError:
        pass


def left_behind():
    return [pid for pid in procfs.tree([os.getpid()]) if pid != os.getpid()]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=Path, required=True)
    build = parser.parse_args().build.resolve()
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what is left behind becomes ours to find
    folder = tempfile.mkdtemp(prefix="tunnel-bench-smoke-")
    try:
        names = subjects(build)
        table, result = run(build, names, folder)
        check_numbers(names, table, result)
        check_told_again(table, folder)
        assert not left_behind(), f"still running: {left_behind()}"
        os.remove(Path(folder) / "result.json")
        check_killed(build, folder)
        wait_until(lambda: not left_behind(), "nothing to be left running", 20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        for pid in left_behind():
            os.kill(pid, signal.SIGKILL)
        reap()
    print(f"ok: {', '.join(names)}")


if __name__ == "__main__":
    main()
