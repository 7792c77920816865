"""Services, ports and descriptors that are not there when they are needed."""

import errno
import socket

from harness import Service, TunnelTest, connect, connection_outcome, echo, free_port, holds_for, main
from harness import recv_exactly, sanitizer, wait_until


class Services(TunnelTest):
    def setUp(self):
        super().setUp()
        self.both = self.tunnel(client={"dial_timeout": "500ms"})
        self.ctl = self.both.ctl

    def assert_refused(self, mapping: str, port: int, says: str):
        mark = self.both.server.process.mark()
        try:
            outcome = connection_outcome(self.owned(connect(port)))
        except ConnectionResetError:
            outcome = ("reset", 0)  # so quick that connect() itself told it
        self.assertEqual(outcome, ("reset", 0))
        line = self.both.server.process.wait_for_line(rf"visitor (closed|refused).*mapping={mapping}.*", start=mark).string
        self.assertRegex(line, says)
        shown = self.ctl.mapping(mapping)
        self.assertRegex(shown["last_error"], says)
        self.assertIsNotNone(shown["last_error_at"])
        self.assertIn(shown["last_error"].split()[0], self.ctl("mapping", "show", mapping).stdout)

    def test_nobody_listens(self):
        nobody = free_port()
        for mode, encrypt in (("encrypted", True), ("plain", False)):
            port = self.both.map(mode, nobody, encrypt=encrypt)
            self.assert_refused(mode, port, "(?i)refused")
            self.assert_refused(mode, port, str(nobody))

    def test_service_comes_later(self):
        later = free_port()
        port = self.both.map("later", later)
        self.assert_refused("later", port, "(?i)refused")
        service = Service(echo, later)
        self.addCleanup(service.close)
        with connect(port) as visitor:
            visitor.sendall(b"at last")
            self.assertEqual(recv_exactly(visitor, 7), b"at last")

    def test_service_that_never_accepts(self):
        listener = self.owned(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        address = listener.getsockname()
        fillers = []
        for _ in range(4):  # until the queue is full, so that the kernel leaves further attempts unanswered
            filler = self.owned(socket.socket())
            filler.setblocking(False)
            self.assertIn(filler.connect_ex(address), (0, errno.EINPROGRESS))
            fillers.append(filler)
        port = self.both.map("deaf", address[1])
        self.assert_refused("deaf", port, "(?i)time|answer")

    def test_unresolvable_host(self):
        self.both.client.stop()
        self.both.client.write_config(allow=["no-such-host.invalid"])
        self.both.client.start()
        port = self.both.map("nowhere", "no-such-host.invalid:80")
        self.assert_refused("nowhere", port, "no-such-host.invalid")

    def test_admin_may_not_point_beyond_what_the_client_allows(self):
        self.ctl("mapping", "add", "lan", "--client", "home", "--tcp", "0", "--to", "192.0.2.1:80")
        wait_until(lambda: "allow" in self.ctl.mapping("lan")["last_error"], what="the client's objection")
        shown = self.ctl.mapping("lan")
        self.assertRegex(shown["last_error"], "192.0.2.1")
        self.assertEqual(shown["state"], "refused")

    def test_client_may_allow_less_than_loopback(self):
        service = self.service(echo)
        self.both.client.stop()
        self.both.client.write_config(allow=["127.0.0.1:1-9"])
        self.both.client.start()
        self.ctl("mapping", "add", "beyond", "--client", "home", "--tcp", "0", "--to", service.address)
        wait_until(lambda: "allow" in self.ctl.mapping("beyond")["last_error"], what="the client's objection")
        self.assertEqual(service.accepted, 0)

    def test_name_that_resolves_to_what_is_allowed(self):
        service = self.service(echo)
        port = self.both.map("by-name", f"localhost:{service.port}")
        with connect(port) as visitor:
            visitor.sendall(b"x")
            self.assertEqual(recv_exactly(visitor, 1), b"x")


class Ports(TunnelTest):
    def begin(self, **settings):
        self.host = self.server(settings=settings).start()
        self.link = self.host.ctl.add_client("home")
        self.echo = self.service(echo)

    def assert_expose_refused(self, port: int, says: str):
        client = self.client(link=self.link)
        process = client.launch("expose", str(self.echo.port), "--port", str(port), "--name", "wanted").process
        self.assertEqual(process.wait(), 1, process.report())
        self.assertRegex(process.err.text(), says)
        self.assertEqual(process.out.text(), "")

    def test_in_use_by_another_program(self):
        self.begin()
        taken = self.service(echo)
        self.assert_expose_refused(taken.port, f"(?i){taken.port}.*in use|in use.*{taken.port}")
        client = self.client(name="declares", link=self.link,
                             mappings=[{"name": "web", "tcp": taken.port, "to": self.echo.address}]).start()
        client.process.wait_for_line("mapping refused.*web")
        shown = wait_until(lambda: self.host.ctl.mapping("web"))
        self.assertEqual(shown["state"], "refused")
        self.assertRegex(shown["last_error"], "(?i)in use")
        self.assertTrue(client.process.alive(), "other mappings go on")

    def test_not_allowed_for_clients_but_for_the_admin(self):
        inside, outside = free_port(), free_port()
        self.begin(allow_ports=[str(inside)])
        self.assert_expose_refused(outside, f"(?i){outside}.*allow|allow.*{outside}")
        client = self.client(link=self.link, mappings=[{"name": "fine", "tcp": inside, "to": self.echo.address},
                                                       {"name": "not", "tcp": outside, "to": self.echo.address}]).start()
        self.assertEqual(self.host.public_port("fine"), inside)
        wait_until(lambda: self.host.ctl.mapping("not")["state"] == "refused")
        self.assertRegex(self.host.ctl.mapping("not")["last_error"], "allow_ports")
        self.host.ctl("mapping", "add", "admins", "--client", "home", "--tcp", outside, "--to", self.echo.address)
        self.assertEqual(self.host.public_port("admins"), outside)
        self.assertTrue(client.process.alive())

    def test_the_tunnel_port_itself(self):
        self.begin()
        self.assert_expose_refused(self.host.port, str(self.host.port))
        done = self.host.ctl.run("mapping", "add", "own", "--client", "home", "--tcp", self.host.port, "--to", self.echo.address)
        if done.returncode == 0:
            self.client(link=self.link).start()
            wait_until(lambda: self.host.ctl.mapping("own")["state"] == "refused")
        else:
            self.assertIn(str(self.host.port), done.stderr)


class Descriptors(TunnelTest):
    def setUp(self):
        super().setUp()
        if "undefined" in sanitizer():
            # Its check of virtual calls opens a pipe to find out whether memory can be read.
            self.skipTest("UndefinedBehaviorSanitizer takes the lack of descriptors for wild pointers")

    def test_server_without_descriptors_keeps_listening_and_recovers(self):
        service = self.service(echo)
        host = self.server(descriptors=64, settings={"workers": 1}).start()
        client = self.client(link=host.ctl.add_client("home"),
                             mappings=[{"name": "echo", "tcp": 0, "to": service.address}]).start()
        port = host.public_port("echo")
        visitors = self.crowd(port, 120)
        host.process.wait_for_line("(?i)descriptor|EMFILE|too many open files", 20)
        before = host.process.cpu_seconds()
        holds_for(2, host.process.alive)
        self.assertLess(host.process.cpu_seconds() - before, 0.8, "it waits, it does not spin")
        # Who was served before is served on.
        served = [visitor for visitor in visitors if self.talks(visitor)]
        self.assertGreaterEqual(len(served), 5)
        for visitor in visitors:
            visitor.close()

        def recovered():
            visitor = self.try_connect(port)
            if visitor is None:
                return False
            with visitor:
                return self.talks(visitor)
        wait_until(recovered, 60, "a new visitor is served")
        self.assertTrue(client.process.alive())
        self.assertEqual(host.ctl.json("status")["clients"], 1)

    def test_client_without_descriptors_recovers(self):
        service = self.service(echo)
        host = self.server().start()
        client = self.client(link=host.ctl.add_client("home"), descriptors=48, settings={"workers": 1},
                             mappings=[{"name": "echo", "tcp": 0, "to": service.address}]).start()
        port = host.public_port("echo")
        visitors = self.crowd(port, 100)
        client.process.wait_for_line("(?i)descriptor|EMFILE|too many open files", 20)
        for visitor in visitors:
            visitor.close()

        def recovered():
            visitor = self.try_connect(port)
            if visitor is None:
                return False
            with visitor:
                return self.talks(visitor)
        wait_until(recovered, 60, "a new visitor is served")
        self.assertTrue(client.process.alive())

    def crowd(self, port: int, size: int) -> list[socket.socket]:
        """Visitors who are connected; some may have been reset already."""
        visitors = []
        for _ in range(size):
            try:
                visitors.append(self.owned(connect(port)))
            except ConnectionResetError:
                pass
        return visitors

    def try_connect(self, port):
        # A visitor who cannot be served may be reset before connect() returns.
        try:
            return connect(port)
        except OSError:
            return None

    def talks(self, visitor) -> bool:
        visitor.settimeout(0.5)
        try:
            visitor.sendall(b"x")
            return visitor.recv(1) == b"x"
        except OSError:
            return False


if __name__ == "__main__":
    main()
