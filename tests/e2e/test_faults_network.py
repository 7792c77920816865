"""A network that stalls, breaks and comes back; peers that are alive to the kernel and dead to us."""

import signal
import time

from harness import Proxy, TunnelTest, connect, echo, holds_for, main, recv_exactly, wait_until

QUICK = {"heartbeat": {"interval": "200ms", "timeout": "1s"}}


class Network(TunnelTest):
    def begin(self, **options):
        self.network = None

        def through(port: int) -> int:
            self.network = Proxy(port)
            self.addCleanup(self.network.close)
            return self.network.port
        self.echo = self.service(echo)
        self.both = self.tunnel(server={**QUICK, "grace": "60s"}, client=QUICK, via=through)
        self.host, self.client = self.both.server, self.both.client
        self.ports = [self.both.map("encrypted", self.echo.port), self.both.map("plain", self.echo.port, encrypt=False)]

    def talk(self, visitor, words: bytes = b"hello") -> bool:
        visitor.sendall(words)
        self.assertEqual(recv_exactly(visitor, len(words)), words)
        return True

    def assert_serves(self, deadline: float = 20):
        for port in self.ports:
            with connect(port) as visitor:
                visitor.settimeout(deadline)
                self.talk(visitor)

    def test_running_visitors_survive_a_cut_control_connection(self):
        self.begin()
        visitors = [self.owned(connect(port)) for port in self.ports]
        for visitor in visitors:
            self.talk(visitor)
        mark = self.client.process.mark()
        for _ in range(3):
            self.assertGreaterEqual(self.network.cut(control_only=True), 1)
            for visitor in visitors:
                self.talk(visitor, b"while the control connection is away")
            self.client.process.wait_for_line("client ready", start=mark)
            mark = self.client.process.mark()
            self.host.wait_connected()
            for visitor in visitors:
                self.talk(visitor, b"and after")
            self.assert_serves()
        # Those that only asked whether it serves may take a moment to go.
        wait_until(lambda: len(self.both.ctl.json("connection", "list")) == 2, what="the two that run are left")

    def test_running_visitors_can_still_be_closed_after_a_reconnect(self):
        self.begin()
        visitor = self.owned(connect(self.ports[0]))
        self.talk(visitor)
        mark = self.client.process.mark()
        self.network.cut(control_only=True)
        self.client.process.wait_for_line("client ready", start=mark)
        (entry,) = self.both.ctl.json("connection", "list")
        self.both.ctl("connection", "close", entry["id"])
        with self.assertRaises(ConnectionResetError):
            visitor.recv(1)

    def test_stalled_network_is_found_dead_and_recovers(self):
        self.begin()
        mark = self.host.process.mark()
        client_mark = self.client.process.mark()
        self.network.stall()
        self.host.process.wait_for_line("session closed", 10, start=mark)
        self.assertEqual(self.both.ctl.client("home")["state"], "away")
        waiting = [self.owned(connect(port)) for port in self.ports]
        for visitor in waiting:
            visitor.sendall(b"patient")
        self.network.drop_stalled()
        self.network.flow()
        self.client.process.wait_for_line("client ready", 15, start=client_mark)
        for visitor in waiting:
            self.assertEqual(recv_exactly(visitor, 7), b"patient")
        self.assert_serves()

    def test_back_soon_after_the_network_is_back(self):
        self.begin()
        mark = self.client.process.mark()
        self.network.refuse()
        self.network.cut()
        wait_until(lambda: self.network.refused >= 5, 40, "some failed tries, so that the pauses have grown")
        back = time.monotonic()
        self.network.flow()
        self.client.process.wait_for_line("client ready", 15, start=mark)
        self.assertLess(time.monotonic() - back, 7, "tries are at most 5 s apart")
        self.assert_serves()

    def test_cut_in_the_middle_of_a_data_connection_is_a_reset(self):
        self.begin()
        visitors = [self.owned(connect(port)) for port in self.ports]
        for visitor in visitors:
            self.talk(visitor)
        self.network.cut()
        for visitor in visitors:
            with self.assertRaises(ConnectionResetError):
                if not visitor.recv(1):
                    self.fail("a cut looked like a clean end")
        self.assert_serves()


class Frozen(TunnelTest):
    def begin(self):
        self.echo = self.service(echo)
        self.both = self.tunnel(server={**QUICK, "grace": "60s"}, client=QUICK)
        self.port = self.both.map("echo", self.echo.port)

    def serves(self) -> bool:
        with connect(self.port) as visitor:
            visitor.sendall(b"hello")
            return recv_exactly(visitor, 5) == b"hello"

    def test_frozen_client_is_found_dead_by_heartbeat(self):
        self.begin()
        mark = self.both.server.process.mark()
        self.both.client.process.send_signal(signal.SIGSTOP)
        began = time.monotonic()
        self.both.server.process.wait_for_line("session closed", 10, start=mark)
        self.assertGreater(time.monotonic() - began, 0.5, "not before the heartbeat's timeout")
        self.assertEqual(self.both.ctl.client("home")["state"], "away")
        mark = self.both.client.process.mark()
        self.both.client.process.send_signal(signal.SIGCONT)
        self.both.client.process.wait_for_line("client ready", start=mark)
        wait_until(self.serves)

    def test_frozen_server_is_found_dead_by_heartbeat(self):
        self.begin()
        mark = self.both.client.process.mark()
        self.both.server.process.send_signal(signal.SIGSTOP)
        self.both.client.process.wait_for_line("(?i)heartbeat|silent|dead|lost|closed", 10, start=mark)
        self.both.server.process.send_signal(signal.SIGCONT)
        self.both.client.process.wait_for_line("client ready", 15, start=mark)
        wait_until(self.serves)

    def test_idle_session_stays(self):
        self.begin()
        mark = self.both.server.process.mark()
        first = self.both.ctl.json("session", "list")[0]
        # Several heartbeats pass; each updates the session's round trip.
        wait_until(lambda: self.both.ctl.json("session", "list")[0]["round_trip_us"] > 0)
        holds_for(3, lambda: self.both.ctl.json("session", "list")[0]["since"] == first["since"], "the idle session")
        self.assertNotRegex(self.both.server.process.err.text(mark), "(?m)^\\S+ (warn|error)")


if __name__ == "__main__":
    main()
