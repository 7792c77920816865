"""kill -9 of the client, the server and the service in mid-transfer: a broken transfer never looks complete."""

import socket
import threading

from harness import TunnelTest, child_service, connect, connection_outcome, free_port, main, recv_exactly, refuses
from harness import tool, wait_until

LARGE = 256_000_000  # far more than all buffers between the ends hold


def pour(peer):
    """Sends a large file."""
    block = bytes(range(256)) * 256
    for _ in range(LARGE // len(block)):
        peer.sendall(block)


class Kill(TunnelTest):
    def setUp(self):
        super().setUp()
        self.both = self.tunnel(port=free_port())
        self.host, self.client = self.both.server, self.both.client

    def both_modes(self, service_port: int) -> dict[str, int]:
        return {mode: self.both.map(mode, service_port, encrypt=mode == "encrypted") for mode in ("encrypted", "plain")}

    def begun(self, port: int) -> socket.socket:
        """A visitor in the middle of a download."""
        visitor = self.owned(connect(port))
        recv_exactly(visitor, 1_000_000)
        return visitor

    def assert_reset(self, visitors):
        for visitor in visitors:
            outcome, received = connection_outcome(visitor)
            self.assertEqual(outcome, "reset", f"after {received} more bytes")

    def assert_serves(self, ports):
        def served():
            for port in ports:
                with connect(port) as visitor:
                    recv_exactly(visitor, 100_000)
            return True
        wait_until(served, 20, "both mappings serve again")

    def test_client_in_mid_download(self):
        ports = self.both_modes(self.service(pour).port).values()
        visitors = [self.begun(port) for port in ports]
        self.client.process.kill()
        self.assert_reset(visitors)
        self.client.start()
        self.assert_serves(ports)

    def test_client_in_mid_upload(self):
        def read_slowly(peer):
            while peer.recv(1024):
                pause.wait(0.01)
        pause = threading.Event()
        self.addCleanup(pause.set)
        for mode, port in self.both_modes(self.service(read_slowly).port).items():
            with self.subTest(mode=mode):
                visitor = self.owned(connect(port))
                visitor.sendall(bytes(100_000))
                wait_until(lambda: any(entry["mapping"] == mode and entry["bytes_in"] > 0
                                       for entry in self.both.ctl.json("connection", "list")))
                self.client.process.kill()
                self.assertEqual(connection_outcome(visitor)[0], "reset")
                self.client.start()
                self.host.wait_connected()

    def test_server_in_mid_download(self):
        ports = self.both_modes(self.service(pour).port).values()
        visitors = [self.begun(port) for port in ports]
        self.host.process.kill()
        self.assert_reset(visitors)
        # At once; only what an io_uring waits for closes a moment after its process has gone.
        wait_until(lambda: all(refuses(port) for port in ports), what="the ports of the killed server refuse")
        self.host.start()
        self.assert_serves(ports)
        self.assertTrue(self.client.process.alive())

    def test_server_killed_is_a_reset_for_the_service(self):
        outcomes = []

        def note_the_end(peer):
            peer.sendall(b"go")
            outcomes.append(connection_outcome(peer)[0])
        for port in self.both_modes(self.service(note_the_end).port).values():
            visitor = self.owned(connect(port))
            visitor.sendall(b"part of a file")
            recv_exactly(visitor, 2)
        self.host.process.kill()
        wait_until(lambda: len(outcomes) == 2, what="the service saw both ends")
        self.assertEqual(outcomes, ["reset", "reset"])

    def test_service_in_mid_download(self):
        child, service_port = child_service(self, "bulk")
        ports = self.both_modes(service_port)
        mode_of = {}
        for mode, port in ports.items():
            visitor = self.begun(port)
            # What the service never reads makes its end a reset, as with any server that dies.
            visitor.sendall(b"unread")
            mode_of[mode] = visitor

        def arrived():
            entries = {entry["mapping"]: entry["bytes_in"] for entry in self.both.ctl.json("connection", "list")}
            return entries.get("encrypted", 0) >= 6 and entries.get("plain", 0) >= 6
        wait_until(arrived, what="the unread bytes passed the server")
        # The client may still be moving them for a moment: wait until the service's socket holds them.
        wait_until(lambda: unread(service_port) >= 12, what="the unread bytes at the service")
        child.kill()
        for mode, visitor in mode_of.items():
            with self.subTest(mode=mode):
                self.assertEqual(connection_outcome(visitor)[0], "reset")
        self.assertTrue(self.client.process.alive() and self.host.process.alive())

    def test_http_download_from_a_killed_service_fails(self):
        child, service_port = child_service(self, "http")
        downloads = []
        for mode, port in self.both_modes(service_port).items():
            downloads.append(self.start([tool("curl"), "-sS", "-o", "/dev/null", f"http://127.0.0.1:{port}/"], name=f"curl {mode}"))
        wait_until(lambda: [entry["bytes_out"] > 1_000_000 for entry in self.both.ctl.json("connection", "list")] == [True, True],
                   what="both downloads run")
        child.kill()
        for download in downloads:
            self.assertIn(download.wait(), (18, 56), download.report())  # a part of the file, or a reset

    def test_visitor_killed_is_noticed_by_the_service(self):
        service = self.service(pour)
        port = self.both.map("pour", service.port)
        visitor = self.start([tool("curl"), "-sS", "--http0.9", "-o", "/dev/null", "--limit-rate", "1M",
                              f"http://127.0.0.1:{port}/"])
        wait_until(lambda: service.open_connections() == 1)
        visitor.kill()
        wait_until(lambda: service.open_connections() == 0, what="the service's connection ended")
        wait_until(lambda: self.both.ctl.json("connection", "list") == [])


def unread(port: int) -> int:
    """Bytes that wait in the sockets of a service's accepted connections (/proc/net/tcp)."""
    total = 0
    with open("/proc/net/tcp") as table:
        for line in list(table)[1:]:
            fields = line.split()
            if int(fields[1].rsplit(":", 1)[1], 16) == port and fields[3] == "01":
                total += int(fields[4].split(":")[1], 16)
    return total


if __name__ == "__main__":
    main()
