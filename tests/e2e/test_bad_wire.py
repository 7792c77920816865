"""What strangers send to the tunnel port: nothing of it costs more than its own connection."""

import os
import random
import select
import socket
import ssl
import struct
import threading

from harness import Proxy, TunnelTest, connect, echo, main, patience, recv_exactly, wait_until
from harness import connection_outcome
from harness.wire import HELLO, PREFACE_SIZE, false_server, read_to_end, tls


class TunnelPort(TunnelTest):
    def begin(self, **options):
        self.echo = self.service(echo)
        self.both = self.tunnel(**options)
        self.host, self.ctl = self.both.server, self.both.ctl
        self.public = self.both.map("echo", self.echo.port)
        self.port = self.host.port

    def tearDown(self):
        # Whatever came, the tunnel still serves.
        if hasattr(self, "public"):
            with connect(self.public) as visitor:
                visitor.sendall(b"fine")
                self.assertEqual(recv_exactly(visitor, 4), b"fine")
            self.assertEqual(self.ctl.json("status")["sessions"], 1)
        super().tearDown()

    def test_garbage_is_closed_and_counted(self):
        self.begin()
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        source = random.Random(seed)
        pieces = [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"SSH-2.0-OpenSSH_9.2\r\n", b"\x00" * 100, b"\xff" * 100,
                  b"T", b"TNLX" + bytes(60), bytes([0x16, 3, 1, 0xff, 0xff]) + source.randbytes(2000),
                  bytes([0x16]) + source.randbytes(500)] + [source.randbytes(source.randrange(1, 300)) for _ in range(30)]
        for piece in pieces:
            with connect(self.port, deadline=60) as peer:
                try:
                    peer.sendall(piece)
                    peer.shutdown(socket.SHUT_WR)
                except OSError:
                    continue
                self.assertIn(connection_outcome(peer)[0], ("end", "reset"), piece[:20])
        wait_until(lambda: self.ctl.json("status")["garbage_connections"] >= 10, what="garbage counted")

    def test_half_open_peers_are_closed_at_a_deadline(self):
        self.begin()
        silent = [b"", b"\x16", b"\x16\x03\x01\x02\x00\x01", b"TNLD", b"TNLD\x01\x00\x00\x00" + bytes(20)]
        peers = []
        for start in silent:
            peer = self.owned(connect(self.port, deadline=45))
            peer.sendall(start)
            peers.append(peer)
        peers.append(self.owned(tls(self.port, 45 * patience())))  # a handshake, then silence
        spoken = self.owned(tls(self.port, 45 * patience()))
        spoken.sendall(HELLO)  # no login follows
        peers.append(spoken)
        for peer in peers:
            read_to_end(peer)

    def test_slow_peer_is_closed_at_a_deadline_too(self):
        self.begin()
        peer = self.owned(connect(self.port, deadline=5))
        peer.settimeout(0.2)
        told = []

        def drip():
            # A byte at a time: the deadline is for the whole handshake, not for each byte.
            try:
                peer.sendall(b"T" if not told else b"NLD\x01"[min(len(told), 4) - 1:][:1] or b"\x00")
                told.append(1)
                return peer.recv(1) == b""
            except TimeoutError:
                return False
            except ConnectionError:
                return True
        wait_until(drip, 45, "the dripping peer closed")

    def test_unknown_protocol_version(self):
        self.begin()
        mark = self.host.process.mark()
        with tls(self.port) as peer:
            peer.sendall(b"TNLC" + struct.pack(">HH", 40, 41))
            answer = read_to_end(peer)
            self.assertTrue(answer.startswith(b"TNLC"), answer)
        line = self.host.process.wait_for_line("(?i)version.*|upgrade.*", start=mark).string
        self.assertRegex(line, "(?i)upgrade.*server|server.*upgrade")

    def test_frame_over_the_limit(self):
        self.begin()
        mark = self.host.process.mark()
        for length in (0xffffffff, 0x7fffffff, 1 << 24):
            with tls(self.port) as peer:
                peer.sendall(HELLO + struct.pack(">I", length) + b"x" * 100)
                read_to_end(peer)
        self.assertTrue(self.host.process.alive())
        self.host.process.wait_for_line("(?i)limit|frame|too (long|large)", start=mark)

    def test_messages_before_login(self):
        self.begin()
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        source = random.Random(seed)
        for _ in range(20):
            payload = source.randbytes(source.randrange(0, 200))
            with tls(self.port) as peer:
                try:
                    peer.sendall(HELLO + struct.pack(">I", len(payload)) + payload)
                except (ConnectionError, ssl.SSLError):
                    continue
                read_to_end(peer)

    def test_limit_of_strangers_per_address(self):
        self.begin(server={"limits": {"unauthenticated_per_address": 8}})
        strangers = [self.owned(connect(self.port)) for _ in range(9)]
        # At once, not at the handshake's deadline. Which one it is, the server's threads decide between them.
        closed, _, _ = select.select(strangers, [], [], 5)
        self.assertEqual([connection_outcome(stranger)[0] in ("end", "reset") for stranger in closed], [True])
        for stranger in strangers:
            stranger.close()
        wait_until(self.stranger_may_stay, 10, "the places of those who left are free again")

    def stranger_may_stay(self) -> bool:
        with connect(self.port) as stranger:
            return not select.select([stranger], [], [], 0.3)[0]

    def test_replayed_ticket(self):
        networks = []

        def through(port: int) -> int:
            networks.append(Proxy(port))
            self.addCleanup(networks[0].close)
            return networks[0].port
        self.begin(via=through)
        visitor = self.owned(connect(self.public))
        visitor.sendall(b"once")
        recv_exactly(visitor, 4)
        heads = [head[:PREFACE_SIZE] for head in networks[0].data_heads()]
        self.assertTrue(heads)
        before = self.ctl.json("status")["refused_tickets"]
        for head in heads:
            self.assertTrue(head.startswith(b"TNLD"), head)
            with connect(self.port, deadline=30) as thief:
                thief.sendall(head)
                self.assertEqual(read_to_end(thief), b"")
        wait_until(lambda: self.ctl.json("status")["refused_tickets"] >= before + len(heads), what="replays counted")
        forged = bytearray(heads[0])
        forged[20] ^= 1
        with connect(self.port, deadline=30) as thief:
            thief.sendall(forged)
            self.assertEqual(read_to_end(thief), b"")
        wait_until(lambda: self.ctl.json("status")["refused_tickets"] > before + len(heads), what="the forged one counted")
        visitor.sendall(b"more")
        self.assertEqual(recv_exactly(visitor, 4), b"more")


class FalseServer(TunnelTest):
    def test_client_tells_which_end_to_upgrade(self):
        host = self.server().start()
        link = host.ctl.add_client("home")
        listener, port = false_server(host.folder)
        self.addCleanup(listener.close)

        def speak():
            try:
                while True:
                    peer, _ = listener.accept()
                    peer.sendall(b"TNLC" + struct.pack(">HH", 40, 41))
                    read_to_end(peer)
                    peer.close()
            except OSError:
                return
        thread = threading.Thread(target=speak, daemon=True)
        thread.start()
        client = self.client()
        done = client.run("join", link.replace(f":{host.port}?", f":{port}?"))
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "(?i)upgrade.*client|client.*upgrade")
        self.assertFalse(os.path.exists(client.config))

    def test_client_survives_a_server_that_talks_nonsense(self):
        def nonsense(peer):
            peer.sendall(random.Random(7).randbytes(5000))
        service = self.service(nonsense)
        host = self.server().start()
        link = host.ctl.add_client("home").replace(f":{host.port}?", f":{service.port}?")
        client = self.client(link=link).launch()
        wait_until(lambda: service.accepted >= 2, 30, "the client tries again")
        self.assertTrue(client.process.alive())
        self.assertEqual(client.stop(), 0)


if __name__ == "__main__":
    main()
