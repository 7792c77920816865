"""The services behind the tunnels: the load program's own, and nginx with a large file."""

import os
import socket

from bench.failure import Failure
from bench.workspace import listens, wait_until


class LoadService:
    """bench-load service: echo and endless downloads."""

    name = "load"
    verb = "service"

    def __init__(self, workspace):
        self._workspace = workspace
        self.port = 0

    def start(self):
        _, self.port = self._workspace.serve("service", self.verb)

    @staticmethod
    def answers(port):
        """One byte there and back through the port."""
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(b"e")
                return connection.recv(1) == b"e"
        except OSError:
            return False


class UdpService(LoadService):
    """bench-load udp-service: echoes datagrams."""

    name = "udp"
    verb = "udp-service"

    @staticmethod
    def answers(port):
        """One datagram there and back through the port."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as visitor:
            visitor.settimeout(0.3)
            try:
                visitor.connect(("127.0.0.1", port))
                visitor.send(b"e")
                return visitor.recv(16) == b"e"
            except OSError:
                return False


class HttpService:
    """nginx with sendfile, serving one file of `file_bytes` bytes at /file."""

    name = "http"

    def __init__(self, workspace, file_bytes):
        self._workspace = workspace
        self.file_bytes = file_bytes
        self.port = 0

    def start(self):
        nginx = self._workspace.tool("nginx")
        if not nginx:
            raise Failure("nginx is not installed, so there is no HTTP service")
        folder = self._workspace.fresh_folder("http")
        block = os.urandom(1_000_000)
        with open(folder / "file", "wb") as file:
            for _ in range(self.file_bytes // len(block)):
                file.write(block)
        self.port = self._workspace.ports.pick()
        (folder / "nginx.conf").write_text(f"""
{'user root;' if os.geteuid() == 0 else ''}
daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 1;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    sendfile on;
    tcp_nopush on;
    server {{
        listen 127.0.0.1:{self.port};
        root {folder};
    }}
}}
""", encoding="ascii")
        process = self._workspace.processes.start([nginx, "-e", folder / "error.log", "-p", folder, "-c",
                                                   folder / "nginx.conf"], folder / "log")
        wait_until(lambda: listens(self.port), "the HTTP service", process=process)

    @staticmethod
    def answers(port):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(b"HEAD /file HTTP/1.0\r\n\r\n")
                return connection.recv(12).endswith(b" 200")
        except OSError:
            return False
