"""Both ends restarted in each order: the mappings are back by themselves; visitors who come meanwhile wait."""

import socket

from harness import Client, TunnelTest, connect, connection_outcome, echo, free_port, holds_for, main, recv_exactly, refuses
from harness import wait_until


class Restart(TunnelTest):
    def setUp(self):
        super().setUp()
        self.echo = self.service(echo)
        self.host = self.server(port=free_port(), settings={"drain": "1s"}).start()
        self.declared, self.managed = free_port(), free_port()
        self.home = self.client(link=self.host.ctl.add_client("home"), settings={"drain": "1s"}, mappings=[
            {"name": "declared", "tcp": self.declared, "to": self.echo.address}]).start()
        self.host.ctl("mapping", "add", "managed", "--client", "home", "--tcp", self.managed, "--to", self.echo.address,
                      "--no-encrypt")
        self.assert_both_serve()

    def visit(self, port: int, words=b"there and back") -> None:
        with connect(port) as visitor:
            visitor.sendall(words)
            self.assertEqual(recv_exactly(visitor, len(words)), words)

    def assert_both_serve(self):
        for port in (self.declared, self.managed):
            wait_until(lambda: self.visit(port) is None, 20, f"port {port} serves")

    def test_client_then_server(self):
        self.assertEqual(self.home.stop(), 0)
        self.home.start()
        self.assert_both_serve()
        self.assertEqual(self.host.stop(), 0)
        self.host.start()
        self.assert_both_serve()

    def test_server_while_the_client_runs(self):
        for end in (self.host.stop, lambda: self.host.process.kill()):
            end()
            self.home.process.wait_for_line("(?i)connect|retry|lost", start=0)
            self.host.start()
            self.assert_both_serve()
        self.assertTrue(self.home.process.alive())

    def test_both_down_server_back_first(self):
        self.home.process.kill()
        self.host.process.kill()
        self.host.start()
        self.home.start()
        self.assert_both_serve()

    def test_both_down_client_back_first(self):
        self.host.process.kill()
        self.home.process.kill()
        self.home.launch()  # keeps trying while there is no server
        wait_until(lambda: "127.0.0.1" in self.home.process.err.text(), what="the client says that it cannot connect")
        self.assertTrue(self.home.process.alive())
        self.host.start()
        self.assert_both_serve()


class Grace(TunnelTest):
    def begin(self, grace: str):
        self.echo = self.service(echo)
        self.both = self.tunnel(server={"grace": grace})
        self.ports = [self.both.map("encrypted", self.echo.port), self.both.map("plain", self.echo.port, encrypt=False)]

    def test_visitors_who_come_meanwhile_are_served_when_the_client_is_back(self):
        self.begin("60s")
        mark = self.both.server.process.mark()
        self.both.client.process.kill()
        self.both.server.process.wait_for_line("session closed", start=mark)
        self.assertEqual(self.both.ctl.client("home")["state"], "away")
        self.assertEqual(self.both.ctl.mapping("plain")["state"], "waiting")
        visitors = [self.owned(connect(port)) for port in self.ports for _ in range(5)]
        for number, visitor in enumerate(visitors):
            visitor.sendall(b"visitor %02d" % number)
        visitors[0].settimeout(0.2)
        with self.assertRaises(TimeoutError):
            visitors[0].recv(1)
        visitors[0].settimeout(30)
        self.both.client.start()
        for number, visitor in enumerate(visitors):
            self.assertEqual(recv_exactly(visitor, 10), b"visitor %02d" % number)

    def test_after_the_grace_time_they_are_reset_and_the_port_closes(self):
        self.begin("1s")
        self.both.client.process.kill()
        waiting = self.owned(connect(self.ports[0]))
        waiting.sendall(b"anyone there?")
        self.assertEqual(connection_outcome(waiting), ("reset", 0))
        wait_until(lambda: all(refuses(port) for port in self.ports), what="ports closed after the grace time")
        self.assertEqual(self.both.ctl.client("home")["state"], "offline")
        self.assertEqual(self.both.ctl.mapping("plain")["state"], "offline")
        self.both.client.start()
        port = self.both.server.public_port("plain")
        with connect(port) as visitor:
            visitor.sendall(b"again")
            self.assertEqual(recv_exactly(visitor, 5), b"again")


    def test_client_that_is_stopped_is_given_the_grace_time_too(self):
        # `run` is stopped to be restarted, in most cases; `expose` ends for good (test_first_steps).
        self.begin("2s")
        self.assertEqual(self.both.client.stop(), 0)
        self.assertEqual(self.both.ctl.client("home")["state"], "away")
        waiting = self.owned(connect(self.ports[0]))
        waiting.sendall(b"hello")
        self.both.client.start()
        self.assertEqual(recv_exactly(waiting, 5), b"hello")
        waiting.close()
        self.assertEqual(self.both.client.stop(), 0)
        wait_until(lambda: all(refuses(port) for port in self.ports), what="ports closed after the grace time")
        self.assertEqual(self.both.ctl.client("home")["state"], "offline")


class SameName(TunnelTest):
    """Two clients with one name: the newest serves, the older stands by and returns when the newer leaves."""

    def test_newest_takes_over_and_the_old_returns(self):
        def named(name: bytes):
            def answer(peer):
                peer.sendall(name)
                peer.shutdown(socket.SHUT_WR)
                connection_outcome(peer)
            return answer
        host = self.server().start()
        link, public = host.ctl.add_client("home"), free_port()

        def client(name: str) -> Client:
            service = self.service(named(name.encode()))
            return self.client(name=name, link=link, mappings=[{"name": "who", "tcp": public, "to": service.address}])

        def answers() -> bytes:
            with connect(public) as visitor:
                return visitor.recv(100)
        older = client("older").start()
        wait_until(lambda: answers() == b"older")
        newer = client("newer").start()
        wait_until(lambda: answers() == b"newer", what="the newest client serves")
        self.assertEqual(len(host.ctl.json("session", "list")), 1)
        self.assertTrue(older.process.alive())
        # It stays so: the two do not take the name from each other in turn.
        mark = newer.process.mark()
        holds_for(3, lambda: answers() == b"newer", "the newer client keeps serving")
        self.assertNotRegex(newer.process.err.text(mark), "(?i)replaced")
        self.assertEqual(newer.stop(), 0)
        wait_until(lambda: answers() == b"older", 30, "the older client is back")
        newer.start()
        wait_until(lambda: answers() == b"newer", 30, "the newer takes over again")
        newer.process.kill()
        wait_until(lambda: answers() == b"older", 60, "the older client is back after a crash of the newer")


if __name__ == "__main__":
    main()
