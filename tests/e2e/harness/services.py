"""Services behind the tunnel that the tests write themselves, for what no ready-made program does on demand."""

import http.server
import os
import socket
import sys
import threading

from .waiting import patience


class Service:
    """Listens on 127.0.0.1 and runs handler(socket) for each connection on its own thread. Ended by close()."""

    def __init__(self, handler, port: int = 0):
        self._handler = handler
        self._listener = socket.create_server(("127.0.0.1", port), backlog=1024, reuse_port=False)
        self.port = self._listener.getsockname()[1]
        self.address = f"127.0.0.1:{self.port}"
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self.accepted = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self):
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            peer.settimeout(60 * patience())
            with self._lock:
                self._open.add(peer)
                self.accepted += 1
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        try:
            self._handler(peer)
        except OSError:
            pass
        finally:
            with self._lock:
                self._open.discard(peer)
            peer.close()

    def open_connections(self) -> int:
        with self._lock:
            return len(self._open)

    def close(self):
        # shutdown() wakes the accept(); close() alone would leave the port open until a connection came.
        try:
            self._listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self._listener.close()
        self._thread.join()
        with self._lock:
            for peer in self._open:
                try:
                    peer.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass


def echo(peer: socket.socket) -> None:
    """Sends back what comes until the visitor has said all."""
    while True:
        piece = peer.recv(1 << 16)
        if not piece:
            peer.shutdown(socket.SHUT_WR)
            return
        peer.sendall(piece)


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass


class http_file_server:
    """Serves the files of a folder by HTTP on 127.0.0.1."""

    def __init__(self, folder: str):
        def handler(*arguments):
            return _QuietHandler(*arguments, directory=folder)
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.address = f"127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


CHILD = r"""
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", 0))
print("listening on", listener.getsockname()[1], flush=True)
block = bytes(range(256)) * 256

def serve(peer):
    if sys.argv[1] == "http":
        request = b""
        while b"\r\n\r\n" not in request:
            request += peer.recv(4096)
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\n")
    try:
        while True:
            peer.sendall(block)  # never reads what the visitor sends
    except OSError:
        peer.close()

while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


def child_service(case, kind: str):
    """A service in its own process, to be killed: sends for ever. kind: "bulk", or "http" with a Content-Length
    that it never reaches. Returns (process, port)."""
    child = case.start([sys.executable, "-c", CHILD, kind], name=f"{kind} service",
                       env={"PYTHONDONTWRITEBYTECODE": "1", "LANG": os.environ.get("LANG", "C.UTF-8")})
    port = int(child.wait_for_line(r"listening on (\d+)", stream="out").group(1))
    return child, port
