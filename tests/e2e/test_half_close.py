"""One direction ends while the other goes on; an end is an end and a reset is a reset, in both modes."""

import hashlib
import random
import socket
import threading

from harness import TunnelTest, connect, connection_outcome, main, recv_exactly, recv_to_end, wait_until
from harness.programs import reset_on_close

SIZE = 3_000_000


def answer_with_digest(peer):
    """Reads all that the visitor says, then answers with its SHA-256 and a long tail."""
    question = recv_to_end(peer)
    peer.sendall(hashlib.sha256(question).digest() + bytes(SIZE))


def greet(peer):
    """Speaks first, as SMTP and SSH do."""
    peer.sendall(b"220 welcome\r\n")
    name = recv_exactly(peer, 5)
    peer.sendall(b"hello " + name)


class HalfClose(TunnelTest):
    def setUp(self):
        super().setUp()
        self.both = self.tunnel()
        seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {seed}", flush=True)
        self.data = random.Random(seed).randbytes(SIZE)

    def each_mode(self, handler):
        """A visitor's way in to a service that runs `handler`, for each mode."""
        service = self.service(handler)
        for encrypt in (True, False):
            with self.subTest(encrypt=encrypt):
                yield self.both.map(f"mapping-{encrypt}", service.port, encrypt=encrypt)

    def test_visitor_sends_all_then_reads_the_whole_answer(self):
        for port in self.each_mode(answer_with_digest):
            for question in (self.data, b"", b"short"):
                visitor = self.owned(connect(port))
                visitor.sendall(question)
                visitor.shutdown(socket.SHUT_WR)
                answer = recv_to_end(visitor)
                self.assertEqual(answer[:32], hashlib.sha256(question).digest())
                self.assertEqual(len(answer), 32 + SIZE)

    def test_service_speaks_first(self):
        for port in self.each_mode(greet):
            visitor = self.owned(connect(port))
            self.assertEqual(recv_exactly(visitor, 13), b"220 welcome\r\n")
            visitor.sendall(b"alice")
            self.assertEqual(recv_to_end(visitor), b"hello alice")

    def test_service_ends_its_half_first(self):
        heard = []
        done = threading.Event()

        def say_all_then_listen(peer):
            peer.sendall(self.data)
            peer.shutdown(socket.SHUT_WR)
            heard.append(recv_to_end(peer))
            done.set()
        for port in self.each_mode(say_all_then_listen):
            heard.clear()
            done.clear()
            visitor = self.owned(connect(port))
            self.assertEqual(recv_to_end(visitor), self.data)
            visitor.sendall(self.data[::-1])  # the other direction goes on after the end of the first
            visitor.close()
            self.assertTrue(done.wait(30))
            self.assertEqual(heard[0], self.data[::-1])

    def test_both_directions_at_once(self):
        def swap(peer):
            sender = threading.Thread(target=lambda: (peer.sendall(self.data), peer.shutdown(socket.SHUT_WR)))
            sender.start()
            received = recv_to_end(peer)
            sender.join()
            heard.append(received)
        heard = []
        for port in self.each_mode(swap):
            heard.clear()
            visitor = self.owned(connect(port))
            sender = threading.Thread(target=lambda: (visitor.sendall(self.data), visitor.shutdown(socket.SHUT_WR)))
            sender.start()
            self.assertEqual(recv_to_end(visitor), self.data)
            sender.join()
            wait_until(lambda: heard, what="the service heard all")
            self.assertEqual(heard[0], self.data)

    def test_slow_reader_gets_every_byte(self):
        def tell(peer):
            peer.sendall(self.data)
        for port in self.each_mode(tell):
            visitor = socket.socket()
            visitor.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            visitor.settimeout(60)
            self.owned(visitor).connect(("127.0.0.1", port))
            received = bytearray()
            while True:
                piece = visitor.recv(3001)
                if not piece:
                    break
                received += piece
            self.assertEqual(bytes(received), self.data)

    def test_reset_by_the_service_is_a_reset_for_the_visitor(self):
        def reset(peer):
            recv_exactly(peer, 4)
            peer.sendall(b"half an ans")
            reset_on_close(peer)
            peer.close()
        for port in self.each_mode(reset):
            visitor = self.owned(connect(port))
            visitor.sendall(b"tell")
            self.assertEqual(connection_outcome(visitor)[0], "reset")

    def test_reset_by_the_visitor_is_a_reset_for_the_service(self):
        outcomes = []

        def note_the_end(peer):
            peer.sendall(b"go")
            outcomes.append(connection_outcome(peer)[0])
        for port in self.each_mode(note_the_end):
            outcomes.clear()
            visitor = connect(port)
            visitor.sendall(b"some bytes")
            recv_exactly(visitor, 2)
            reset_on_close(visitor)
            visitor.close()
            wait_until(lambda: outcomes, what="the service noticed")
            self.assertEqual(outcomes, ["reset"])

    def test_nothing_stays_open_afterwards(self):
        for port in self.each_mode(answer_with_digest):
            for _ in range(20):
                visitor = connect(port)
                visitor.sendall(b"x")
                visitor.shutdown(socket.SHUT_WR)
                recv_to_end(visitor)
                visitor.close()
        wait_until(lambda: self.both.ctl.json("connection", "list") == [], what="no connection left")
        wait_until(lambda: self.both.ctl.json("status")["visitors"] == 0)


if __name__ == "__main__":
    main()
