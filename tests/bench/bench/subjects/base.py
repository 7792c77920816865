"""What every subject has in common."""

import os

from bench import procfs
from bench.failure import Failure

PLAIN = "plain"
ENCRYPTED = "encrypted"
DATAGRAMS = "datagrams"


class Subject:
    """One way from a visitor to a service. An object is one running instance: start() once, stop() once.

    name: as on the command line and in the tables. kind: what it is compared with. protocols: those it carries.
    """

    name = ""
    title = ""
    kind = PLAIN
    protocols = ("tcp",)
    aside = False  # measured for a bar of its own, and not in the chart

    def __init__(self, workspace):
        self.workspace = workspace
        self.folder = None
        self._processes = []
        self.protocol = self.protocols[0]  # of the case that it is started for

    @classmethod
    def missing(cls, workspace):
        """None, or what is missing to run this subject, as the end of a sentence 'skipped: ...'."""
        raise NotImplementedError

    def start(self, service_port):
        """Starts everything; returns the port of 127.0.0.1 that visitors use. stop() is due even if this fails."""
        self.folder = self.workspace.fresh_folder(self.name)
        return self.launch(service_port)

    def launch(self, service_port):
        raise NotImplementedError

    def spawn(self, label, argv, **options):
        process = self.workspace.processes.start(argv, self.folder / f"{label}.log", **options)
        self._processes.append(process)
        return process

    def pids(self):
        """The tunnel's own processes, both ends, with all descendants."""
        return procfs.tree([process.pid for process in self._processes])

    def check_alive(self):
        for process in self._processes:
            if process.poll() is not None:
                raise Failure(f"{os.path.basename(process.args[0])} ended with exit code {process.returncode}: "
                              f"{self.last_words()}")

    def last_words(self):
        """The last line of the newest log, for a failure's sentence."""
        logs = sorted(self.folder.glob("*.log"), key=lambda path: path.stat().st_mtime) if self.folder else []
        for log in reversed(logs):
            lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
            if lines:
                return f"{log.name}: {lines[-1][:300]}"
        return "no log"

    def stop(self):
        for process in reversed(self._processes):
            self.workspace.processes.stop(process)
        self._processes.clear()


def need_tools(workspace, *names):
    absent = [name for name in names if not workspace.tool(name)]
    return f"{' and '.join(absent)} not installed" if absent else None


def need_peers(workspace, *names):
    absent = [name for name in names if not workspace.peer(name)]
    return f"{' and '.join(absent)} not in PEERS_BIN" if absent else None
