"""What is measured. A case takes a running subject and returns {metric key: value}."""

import dataclasses
import json
import select
import subprocess
import time

from bench import procfs
from bench.failure import Failure


@dataclasses.dataclass(frozen=True)
class Metric:
    key: str
    title: str
    higher_is_better: bool


@dataclasses.dataclass(frozen=True)
class Settings:
    """How long and how large. `quick` values only show that everything works."""

    seconds: float = 3.0
    rounds: int = 5
    users: int = 10
    file_bytes: int = 100_000_000
    idle_connections: int = 2000
    settle_seconds: float = 1.0


class Case:
    name = ""
    title = ""
    service = "load"
    protocol = "tcp"
    fresh = False  # True: the subject must just have been started, and no other may run
    metrics = ()

    def __init__(self, workspace, settings):
        self.workspace = workspace
        self.settings = settings

    def measure(self, subject, port):
        raise NotImplementedError

    def load(self, verb, port, *words):
        return self.workspace.load(verb, "--target", f"127.0.0.1:{port}", "--seconds", self.settings.seconds, *words,
                                   seconds=self.settings.seconds)


def with_cpu(subject, action):
    """Runs the action; returns its result and the CPU seconds that the tunnel's processes took for it (0 where
    there is no tunnel)."""
    before = procfs.cpu_seconds(subject.pids())
    result = action()
    time.sleep(0.05)  # what is under way when the visitors leave still belongs to them
    return result, procfs.cpu_seconds(subject.pids()) - before


class Bulk(Case):
    streams = 1
    metrics = (Metric("mb_per_second", "MB/s", True), Metric("cpu_per_gb", "CPU s/GB", False))

    def measure(self, subject, port):
        result, cpu = with_cpu(subject, lambda: self.load("bulk", port, "--streams", self.streams))
        return {"mb_per_second": result["mb_per_second"], "cpu_per_gb": cpu / (result["bytes_total"] / 1e9)}


class Bulk1(Bulk):
    name = "bulk1"
    title = "bulk download, 1 stream"


class Bulk8(Bulk):
    name = "bulk8"
    title = "bulk download, 8 streams"
    streams = 8


class RequestResponse(Case):
    name = "rr"
    title = "request/response, 128 bytes each way, 32 kept-alive connections"
    metrics = (Metric("per_second", "requests/s", True), Metric("p50_us", "p50 us", False),
               Metric("p99_us", "p99 us", False), Metric("cpu_us", "CPU us/request", False))

    def measure(self, subject, port):
        result, cpu = with_cpu(subject, lambda: self.load("rr", port, "--connections", 32, "--size", 128))
        return {"per_second": result["per_second"], "p50_us": result["p50_us"], "p99_us": result["p99_us"],
                "cpu_us": cpu * 1e6 / max(result["requests"], 1)}


class Connect(Case):
    name = "connect"
    title = "new connections: connect, 1 byte there and back, close; 16 at a time"
    metrics = (Metric("per_second", "connections/s", True), Metric("p50_us", "p50 us", False),
               Metric("p99_us", "p99 us", False), Metric("cpu_us", "CPU us/connection", False))

    def measure(self, subject, port):
        result, cpu = with_cpu(subject, lambda: self.load("connect", port, "--connections", 16))
        return {"per_second": result["per_second"], "p50_us": result["p50_us"], "p99_us": result["p99_us"],
                "cpu_us": cpu * 1e6 / result["connections"]}


class FirstByte(Case):
    name = "firstbyte"
    title = "connect to first byte, one connection after the other"
    metrics = (Metric("p50_us", "p50 us", False), Metric("p99_us", "p99 us", False))

    def measure(self, subject, port):
        result = self.load("first-byte", port)
        return {"p50_us": result["p50_us"], "p99_us": result["p99_us"]}


class Http(Case):
    name = "http10"
    service = "http"
    metrics = (Metric("mb_per_second", "MB/s", True), Metric("slowest_s", "slowest user s", False),
               Metric("cpu_per_gb", "CPU s/GB", False))

    @property
    def title(self):
        return f"{self.settings.users} users x {self.settings.file_bytes // 1_000_000} MB over HTTP, nginx to curl"

    def measure(self, subject, port):
        total = self.settings.users * self.settings.file_bytes
        (elapsed, slowest), cpu = with_cpu(subject, lambda: self._fetch(port))
        return {"mb_per_second": total / 1e6 / elapsed, "slowest_s": slowest, "cpu_per_gb": cpu / (total / 1e9)}

    def _fetch(self, port):
        """All users at once; returns the seconds until the last one was done and the slowest one's own."""
        curl = self.workspace.tool("curl")
        if not curl:
            raise Failure("curl is not installed")
        argv = [curl, "-sS", "--noproxy", "*", "--max-time", "120", "-o", "/dev/null", "-w",
                "%{http_code} %{size_download} %{time_total}", f"http://127.0.0.1:{port}/file"]
        log = self.workspace.fresh_folder("curl") / "log"
        start = time.monotonic()
        users = [self.workspace.processes.start(argv, log, stdout=subprocess.PIPE)
                 for _ in range(self.settings.users)]
        try:
            answers = [user.communicate(timeout=130)[0].decode().split() for user in users]
            elapsed = time.monotonic() - start
        except subprocess.TimeoutExpired as error:
            raise Failure("a download was not done after 130 s") from error
        finally:
            for user in users:
                self.workspace.processes.stop(user)
        for answer in answers:
            if answer[:2] != ["200", str(self.settings.file_bytes)]:
                raise Failure(f"a download failed: {' '.join(answer) or 'no answer'}, "
                              f"{log.read_text(encoding='utf-8', errors='replace').strip()[-200:]}")
        return elapsed, max(float(answer[2]) for answer in answers)


class Idle(Case):
    name = "idle"
    fresh = True
    metrics = (Metric("pss_kib", "KiB/connection", False), Metric("rss_kib", "same, as RSS", False),
               Metric("rest_mib", "MiB at rest", False), Metric("rest_rss_mib", "same, as RSS", False))

    @property
    def title(self):
        return f"memory: at rest, and per idle connection ({self.settings.idle_connections} open)"

    def measure(self, subject, port):
        if not subject.pids():
            return {}
        time.sleep(self.settings.settle_seconds)
        rest_rss, rest_pss = procfs.memory_kib(subject.pids())
        with _Held(self.workspace, port, self.settings.idle_connections):
            time.sleep(self.settings.settle_seconds)
            rss, pss = procfs.memory_kib(subject.pids())
        count = self.settings.idle_connections
        return {"pss_kib": (pss - rest_pss) / count, "rss_kib": (rss - rest_rss) / count,
                "rest_mib": rest_pss / 1024, "rest_rss_mib": rest_rss / 1024}


class _Held:
    """Context: `count` connections are open. Leaving it checks that every one of them still echoes."""

    def __init__(self, workspace, port, count):
        self._workspace = workspace
        self._words = ["idle", "--target", f"127.0.0.1:{port}", "--connections", str(count), "--max-seconds", "120"]
        self._log = workspace.fresh_folder("idle") / "log"
        self._count = count
        self._process = None

    def __enter__(self):
        self._process = self._workspace.processes.start([self._workspace.load_program(), *self._words], self._log,
                                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ready, _, _ = select.select([self._process.stdout], [], [], 70)
        line = self._process.stdout.readline() if ready else b""
        if not line:
            self._workspace.processes.stop(self._process)
            raise Failure(self._log.read_text(encoding="utf-8").strip() or "the idle connections did not come up")

    def __exit__(self, kind, *_):
        try:
            output, _ = self._process.communicate(timeout=30)
        except subprocess.TimeoutExpired as error:
            raise Failure("the idle connections could not be checked within 30 s") from error
        finally:
            self._workspace.processes.stop(self._process)
        alive = json.loads(output)["alive"] if output else 0
        if kind is None and alive != self._count:
            raise Failure(f"only {alive} of {self._count} idle connections were still usable")


class Datagrams(Case):
    size = 0
    service = "udp"
    protocol = "udp"
    metrics = (Metric("per_second", "round trips/s", True), Metric("p50_us", "p50 us", False),
               Metric("p99_us", "p99 us", False), Metric("lost_percent", "lost %", False),
               Metric("cpu_us", "CPU us/round trip", False))

    @property
    def title(self):
        return f"datagrams of {self.size:,} bytes there and back, 16 flows with 4 under way each"

    def measure(self, subject, port):
        result, cpu = with_cpu(subject, lambda: self.load("udp-rr", port, "--size", self.size))
        return {"per_second": result["per_second"], "p50_us": result["p50_us"], "p99_us": result["p99_us"],
                "lost_percent": 100 * result["lost"] / result["sent"],
                "cpu_us": cpu * 1e6 / max(result["round_trips"], 1)}


class Udp1200(Datagrams):
    name = "udp1200"
    size = 1200


class Udp8000(Datagrams):
    name = "udp8000"
    size = 8000


CASES = (Bulk1, Bulk8, RequestResponse, Connect, FirstByte, Http, Idle, Udp1200, Udp8000)
