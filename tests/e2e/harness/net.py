"""Sockets as a visitor sees them."""

import fcntl
import os
import random
import socket
import tempfile

from .waiting import patience

_leases = []  # open lock files; they end with the test process


def free_port() -> int:
    """A port that stays ours until the process ends, for programs that cannot bind 0 or must come back on the same one.

    From below the kernel's ephemeral range, and locked against the other test processes of this machine.
    """
    folder = os.path.join(tempfile.gettempdir(), "tunnel-e2e-ports")
    os.makedirs(folder, exist_ok=True)
    try:
        os.chmod(folder, 0o777)
    except PermissionError:
        pass
    for _ in range(1000):
        port = random.randrange(12000, 32000)
        try:
            lock = os.open(os.path.join(folder, str(port)), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        except PermissionError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError:
            os.close(lock)
            continue
        _leases.append(lock)
        return port
    raise AssertionError("no free port between 12000 and 32000")


def is_listening(port: int) -> bool:
    """Whether someone listens on the port; looks at the kernel's table, so that nobody is disturbed by a connection."""
    for path in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(path) as table:
                for line in list(table)[1:]:
                    fields = line.split()
                    if fields[3] == "0A" and int(fields[1].rsplit(":", 1)[1], 16) == port:
                        return True
        except FileNotFoundError:
            pass
    return False


def connect(port: int, host: str = "127.0.0.1", deadline: float = 20.0) -> socket.socket:
    """A connected visitor; each of its later waits has the deadline too."""
    visitor = socket.create_connection((host, port), timeout=deadline * patience())
    visitor.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return visitor


def refuses(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a connection to the port is refused at once."""
    try:
        socket.create_connection((host, port), timeout=5).close()
        return False
    except ConnectionRefusedError:
        return True


def recv_exactly(peer: socket.socket, count: int) -> bytes:
    data = bytearray()
    while len(data) < count:
        piece = peer.recv(min(count - len(data), 1 << 18))
        if not piece:
            raise AssertionError(f"the connection ended after {len(data)} of {count} bytes")
        data += piece
    return bytes(data)


def recv_to_end(peer: socket.socket) -> bytes:
    """All bytes until a clean end; a reset raises ConnectionResetError."""
    data = bytearray()
    while True:
        piece = peer.recv(1 << 18)
        if not piece:
            return bytes(data)
        data += piece


def connection_outcome(peer: socket.socket) -> tuple[str, int]:
    """Reads to the end: ("end" | "reset" | "timeout", bytes read)."""
    total = 0
    try:
        while True:
            piece = peer.recv(1 << 18)
            if not piece:
                return "end", total
            total += len(piece)
    except (ConnectionResetError, BrokenPipeError):
        return "reset", total
    except TimeoutError:
        return "timeout", total
