"""What every subject and service works with: a temporary folder, processes, free ports, paths."""

import json
import os
import random
import select
import shutil
import socket
import subprocess
import time
from pathlib import Path

from bench.failure import Failure


class Ports:
    """Free ports of 127.0.0.1 below the range from which the kernel takes source ports.

    So no outgoing connection of the load can take one between the moment it is chosen here and the moment a peer
    that wants a number in its config binds it.
    """

    def __init__(self):
        with open("/proc/sys/net/ipv4/ip_local_port_range", encoding="ascii") as file:
            lowest_ephemeral = int(file.read().split()[0])
        self._range = (10000, lowest_ephemeral - 1) if lowest_ephemeral > 11000 else (61000, 65535)
        self._given = set()

    def pick(self):
        for _ in range(1000):
            port = random.randint(*self._range)
            if port not in self._given and is_free(port):
                self._given.add(port)
                return port
        raise Failure(f"no free port in {self._range[0]}-{self._range[1]}")


def is_free(port):
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


class Workspace:
    def __init__(self, folder, processes, build, peers_bin=None, io_uring_bin=None):
        self.folder = Path(folder)
        self.processes = processes
        self.build = Path(build)
        self.own_bin = self.build / "bin"
        self.peers_bin = Path(peers_bin) if peers_bin else None
        self.io_uring_bin = Path(io_uring_bin) if io_uring_bin else None
        self.ports = Ports()
        self.cores = len(os.sched_getaffinity(0))
        self._count = 0

    def fresh_folder(self, name):
        self._count += 1
        path = self.folder / f"{self._count:03}-{name}"
        path.mkdir(mode=0o755)
        return path

    def load_program(self):
        return self.build / "tests" / "bench" / "bench-load"

    def peer(self, name):
        """The path of an optional peer in PEERS_BIN, or None."""
        path = self.peers_bin / name if self.peers_bin else None
        return path if path and os.access(path, os.X_OK) and path.is_file() else None

    @staticmethod
    def tool(name):
        """The path of an installed program, or None. Daemons live in sbin, which a user's PATH may lack."""
        return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin:/sbin")

    def load(self, *words, seconds):
        """Runs a client verb of the load program; returns its JSON line as a dict."""
        text = self.processes.run([self.load_program(), *words], timeout=seconds + 40)
        return json.loads(text.splitlines()[-1])

    def serve(self, label, verb, *words):
        """Starts a verb of the load program that serves until it is stopped; returns the process and its port."""
        program = self.load_program()
        if not program.exists():
            raise Failure(f"{program} is missing; build it: cmake --build {self.build} -t bench-load")
        process = self.processes.start([program, verb, *words, "--max-seconds", "86400"], self.fresh_folder(label) / "log",
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready, _, _ = select.select([process.stdout], [], [], 10)
        line = process.stdout.readline() if ready else b""
        if not line:
            raise Failure(f"bench-load {verb} did not come up")
        return process, json.loads(line)["port"]


def wait_until(check, what, timeout=15, process=None):
    """Polls until check() returns something true, and returns that. Failure when it takes too long."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        if process is not None and process.poll() is not None:
            raise Failure(f"{what}: the program ended with exit code {process.returncode}")
        time.sleep(0.02)
    raise Failure(f"{what}: not within {timeout} s")


def listens(port):
    """True when something accepts on the port."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
