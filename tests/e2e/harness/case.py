"""The test case that owns what a test starts."""

import os
import shutil
import socket
import tempfile
import unittest

from .process import Process
from .services import Service, http_file_server
from .tunnel import Client, Server, Tunnel


class TunnelTest(unittest.TestCase):
    """A temporary folder, and an end for every process, service and visitor; sanitizer reports fail the test."""

    maxDiff = None

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="tunnel-e2e-")
        os.chmod(self.folder, 0o755)  # programs started as an ordinary user look in
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self._processes: list[Process] = []
        self.addCleanup(self._end_processes)

    def _end_processes(self):
        reports = []
        for process in reversed(self._processes):
            process.end()
            report = process.sanitizer_report()
            if report:
                reports.append(f"[{process.name}]\n{report}")
            elif process.crashed():
                reports.append(process.report())
        if reports:
            raise AssertionError("crashes and sanitizer reports:\n" + "\n".join(reports))
        if self._failed():
            for process in self._processes:
                print(process.report(), flush=True)

    def _failed(self) -> bool:
        result = getattr(self._outcome, "result", None)
        if result is None:
            return False
        return any(test is self for test, _ in result.errors + result.failures)

    def path(self, *parts: str) -> str:
        return os.path.join(self.folder, *parts)

    def make_folder(self, *parts: str) -> str:
        folder = self.path(*parts)
        os.makedirs(folder, exist_ok=True)
        return folder

    def write(self, name: str, text: str, mode: int = 0o644) -> str:
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def start(self, argv, **options) -> Process:
        process = Process(argv, **options)
        self._processes.append(process)
        return process

    def service(self, handler) -> Service:
        service = Service(handler)
        self.addCleanup(service.close)
        return service

    def web(self, folder: str) -> http_file_server:
        server = http_file_server(folder)
        self.addCleanup(server.close)
        return server

    def owned(self, visitor: socket.socket) -> socket.socket:
        """Closes the socket when the test ends."""
        self.addCleanup(visitor.close)
        return visitor

    def server(self, **options) -> Server:
        """An initialised server that does not run yet."""
        return Server(self, **options)

    def client(self, **options) -> Client:
        return Client(self, **options)

    def tunnel(self, **options) -> Tunnel:
        """A running server and a running client named "home"."""
        return Tunnel(self, **options)


def main():
    unittest.main(module="__main__", verbosity=2)
