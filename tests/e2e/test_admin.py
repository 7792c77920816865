"""Every verb of tunnelctl, its tables and its JSON, and what an acknowledged change survives."""

import datetime
import json
import os
import socket

from harness import TunnelTest, connect, echo, free_port, main, recv_exactly, refuses, run
from harness import connection_outcome, tunnel_binary, wait_until
from harness.tunnel import LINK


class Clients(TunnelTest):
    def setUp(self):
        super().setUp()
        self.host = self.server().start()
        self.ctl = self.host.ctl

    def test_add_list_remove(self):
        self.assertEqual(self.ctl.json("client", "list"), [])
        self.assertRegex(self.ctl.add_client("home"), LINK)
        self.assertRegex(self.ctl.add_client("office"), LINK)
        self.assertEqual([entry["name"] for entry in self.ctl.json("client", "list")], ["home", "office"])
        self.assertEqual(self.ctl.client("home")["state"], "offline")
        again = self.ctl.run("client", "add", "home")
        self.assertEqual((again.returncode, again.stdout), (1, ""))
        self.assertIn("home", again.stderr)
        self.assertNotEqual(self.ctl.run("client", "add", "not a name").returncode, 0)
        self.ctl("client", "remove", "office")
        self.assertEqual([entry["name"] for entry in self.ctl.json("client", "list")], ["home"])
        gone = self.ctl.run("client", "remove", "office")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("office", gone.stderr)

    def test_times_are_iso_8601_or_null(self):
        self.ctl.add_client("home")
        self.ctl.add_client("guest", "--expires", "2099-01-02T03:04:05Z")
        home, guest = self.ctl.client("home"), self.ctl.client("guest")
        self.assertIsNone(home["expires_at"])
        self.assertIsNone(home["last_seen_at"])
        self.assertTrue(guest["expires_at"].startswith("2099-01-02T03:04:05"))
        created = datetime.datetime.fromisoformat(home["created_at"].replace("Z", "+00:00"))
        self.assertLess(abs((datetime.datetime.now(datetime.timezone.utc) - created).total_seconds()), 600)

    def test_remove_ends_the_session_and_its_mappings(self):
        link = self.ctl.add_client("home")
        service = self.service(echo)
        client = self.client(link=link, mappings=[{"name": "own", "tcp": 0, "to": service.address}]).start()
        port = self.host.public_port("own")
        self.ctl("client", "remove", "home")
        self.host.process.wait_for_line("session closed")
        wait_until(lambda: refuses(port), what="the port of a removed client closed")
        self.assertEqual(self.ctl.json("mapping", "list"), [])
        self.assertNotEqual(client.run("join", link).returncode, 0)

    def test_rotate_refuses_the_old_secret_from_then_on(self):
        old = self.ctl.add_client("home")
        running = self.client(link=old).start()
        self.host.wait_connected()
        new = self.ctl("client", "rotate", "home").stdout.strip()
        self.assertRegex(new, LINK)
        self.assertNotEqual(LINK.match(new).group("secret"), LINK.match(old).group("secret"))
        wait_until(lambda: not self.host.connected("home"), what="the session of the old secret ended")
        refused = self.client(name="other").run("join", old)
        self.assertEqual(refused.returncode, 1)
        self.assertRegex(self.host.process.wait_for_line("login refused.*").string, "home")
        running.process.end()
        joined = self.client(name="third")
        self.assertEqual(joined.run("join", new).returncode, 0)
        joined.start()
        self.host.wait_connected()


class Mappings(TunnelTest):
    def setUp(self):
        super().setUp()
        self.both = self.tunnel()
        self.host, self.ctl = self.both.server, self.both.ctl
        self.echo = self.service(echo)

    def visit(self, port: int) -> None:
        with connect(port) as visitor:
            visitor.sendall(b"ping")
            self.assertEqual(recv_exactly(visitor, 4), b"ping")

    def test_add_show_list_pause_resume_remove(self):
        chosen = free_port()
        port = self.both.map("echo", self.echo.port, tcp=chosen)
        self.assertEqual(port, chosen)
        self.visit(port)
        shown = self.ctl.mapping("echo")
        expected = {"name": "echo", "client": "home", "source": "admin", "protocol": "tcp", "port": chosen,
                    "public_address": f"127.0.0.1:{chosen}", "service": self.echo.address, "encrypt": True,
                    "state": "listening", "last_error": "", "last_error_at": None}
        self.assertEqual({key: shown[key] for key in expected}, expected)
        wait_until(lambda: self.ctl.mapping("echo")["bytes_in"] == 4, what="four bytes counted")
        self.assertEqual(self.ctl.json("mapping", "list")[0]["name"], "echo")

        self.ctl("mapping", "pause", "echo")
        self.assertEqual(self.ctl.mapping("echo")["state"], "paused")
        wait_until(lambda: refuses(port), what="a paused mapping's port closed")
        self.ctl("mapping", "resume", "home/echo")
        self.assertEqual(self.host.public_port("echo"), chosen)
        self.visit(port)

        self.ctl("mapping", "remove", "echo")
        wait_until(lambda: refuses(port), what="a removed mapping's port closed")
        self.assertEqual(self.ctl.json("mapping", "list"), [])
        self.assertEqual(self.ctl.run("mapping", "show", "echo").returncode, 1)

    def test_pause_lets_running_visitors_finish(self):
        port = self.both.map("echo", self.echo.port)
        visitor = self.owned(connect(port))
        visitor.sendall(b"one")
        self.assertEqual(recv_exactly(visitor, 3), b"one")
        self.ctl("mapping", "pause", "echo")
        wait_until(lambda: refuses(port))
        visitor.sendall(b"two")
        self.assertEqual(recv_exactly(visitor, 3), b"two")

    def test_refuses_what_cannot_be(self):
        taken = self.both.map("echo", self.echo.port)
        cases = [("echo", "home", "0", self.echo.address),          # the name exists
                 ("other", "nobody-here", "0", self.echo.address),  # no such client
                 ("other", "home", "70000", self.echo.address),     # no such port
                 ("other", "home", "0", "127.0.0.1"),               # a service without a port
                 ("other", "home", str(taken), self.echo.address)]  # the port is another mapping's
        for name, client, port, service in cases:
            done = self.ctl.run("mapping", "add", name, "--client", client, "--tcp", port, "--to", service)
            self.assertIn(done.returncode, (1, 2), (name, client, port, service))
            self.assertGreater(len(done.stderr.split()), 3, "a sentence")
        self.assertEqual([entry["name"] for entry in self.ctl.json("mapping", "list")], ["echo"])

    def test_names_are_per_client(self):
        other = self.client(name="office", link=self.ctl.add_client("office")).start()
        self.both.map("web", self.echo.port)
        self.ctl("mapping", "add", "web", "--client", "office", "--tcp", "0", "--to", self.echo.address)
        unclear = self.ctl.run("mapping", "show", "web")
        self.assertEqual(unclear.returncode, 1)
        self.assertRegex(unclear.stderr, "home|office|client")
        self.assertEqual(self.ctl.json("mapping", "show", "office/web")["client"], "office")
        self.assertEqual(self.ctl.mapping("web", "home")["client"], "home")
        self.visit(self.host.public_port("web", "office"))
        self.assertEqual(other.stop(), 0)

    def test_tables_are_aligned(self):
        self.both.map("echo", self.echo.port)
        self.both.map("a-rather-longer-name", self.echo.port)
        visitor = self.owned(connect(self.host.public_port("echo")))
        visitor.sendall(b"x")
        recv_exactly(visitor, 1)
        for verb in ("client", "mapping", "session", "connection"):
            lines = self.ctl(verb, "list").stdout.rstrip("\n").split("\n")
            self.assertGreaterEqual(len(lines), 2, lines)
            header = lines[0]
            self.assertRegex(header, r"^[A-Z]")
            # Each column starts at the same place in every line: what stands before a header word is a space.
            starts = [index for index in range(1, len(header)) if header[index] != " " and header[index - 2:index] == "  "]
            self.assertTrue(starts, header)
            for line in lines[1:]:
                for start in starts:
                    self.assertTrue(start >= len(line) or line[start - 1] == " ", (header, line))
        self.assertRegex(self.ctl("status").stdout, r"127\.0\.0\.1:\d+")

    def test_status_counts(self):
        self.both.map("echo", self.echo.port)
        status = self.ctl.json("status")
        self.assertEqual((status["clients"], status["sessions"], status["mappings"]), (1, 1, 1))
        self.assertEqual((status["public_host"], status["draining"]), ("127.0.0.1", False))
        self.assertEqual(status["config_file"], self.host.config)
        self.visit(self.host.public_port("echo"))
        wait_until(lambda: self.ctl.json("status")["visitors_total"] == 1, what="the visitor counted")

    def test_session_list_and_close(self):
        session = self.ctl.json("session", "list")[0]
        self.assertEqual(session["client"], "home")
        self.assertRegex(session["software"], "tunnel-client")
        self.assertTrue(session["address"].startswith("127.0.0.1:"))
        mark = self.host.process.mark()
        self.ctl("session", "close", "home")
        self.host.process.wait_for_line("session closed.*client=home", start=mark)
        self.assertEqual(self.ctl.run("session", "close", "nobody-here").returncode, 1)

    def test_connection_list_and_close(self):
        one, two = self.both.map("one", self.echo.port), self.both.map("two", self.echo.port)
        visitors = [self.owned(connect(port)) for port in (one, one, two)]
        for visitor in visitors:
            visitor.sendall(b"hello")
            recv_exactly(visitor, 5)
        self.assertEqual(len(self.ctl.json("connection", "list")), 3)
        of_two = self.ctl.json("connection", "list", "--mapping", "two")
        self.assertEqual([entry["mapping"] for entry in of_two], ["two"])
        self.assertEqual(of_two[0]["visitor"], "127.0.0.1:%d" % visitors[2].getsockname()[1])
        self.ctl("connection", "close", str(of_two[0]["id"]))
        self.assertEqual(connection_outcome(visitors[2]), ("reset", 0))
        wait_until(lambda: len(self.ctl.json("connection", "list")) == 2)
        visitors[0].sendall(b"still")
        self.assertEqual(recv_exactly(visitors[0], 5), b"still")
        self.assertEqual(self.ctl.run("connection", "close", "999999").returncode, 1)


class Survival(TunnelTest):
    def test_changes_survive_a_restart(self):
        host = self.server(port=free_port()).start()
        link = host.ctl.add_client("home")
        service = self.service(echo)
        client = self.client(link=link).start()
        chosen = free_port()
        host.ctl("mapping", "add", "echo", "--client", "home", "--tcp", chosen, "--to", service.address)
        host.ctl("mapping", "add", "quiet", "--client", "home", "--tcp", "0", "--to", service.address)
        host.ctl("mapping", "pause", "quiet")
        self.assertEqual(host.stop(), 0)
        host.start()
        host.wait_connected()
        self.assertEqual(host.public_port("echo"), chosen)
        self.assertEqual(host.ctl.mapping("quiet")["state"], "paused")
        self.assertTrue(client.process.alive())

    def test_kill_loses_no_acknowledged_change(self):
        host = self.server().start()
        names = []
        for round_ in range(8):
            if round_ == 0:
                host.ctl.add_client("home")
            name = f"mapping-{round_}"
            host.ctl("mapping", "add", name, "--client", "home", "--tcp", 0, "--to", "127.0.0.1:9")
            host.process.kill()
            names.append(name)
            host.start()
            self.assertEqual([entry["name"] for entry in host.ctl.json("mapping", "list")], names)

    def test_socket_and_errors_without_a_server(self):
        host = self.server().start()
        socket_path = os.path.join(host.folder, "admin.sock")
        self.assertEqual(os.stat(socket_path).st_mode & 0o777, 0o660)
        done = run([tunnel_binary("tunnelctl"), "status", "--socket", socket_path])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(host.stop(), 0)
        gone = host.ctl.run("status")
        self.assertEqual(gone.returncode, 1)
        self.assertIn("admin.sock", gone.stderr)

    def test_garbage_on_the_admin_socket_changes_nothing(self):
        host = self.server().start()
        for garbage in (b"\xff\xff\xff\xff", b"\x00\x00\x00\x05hello", b"GET / HTTP/1.1\r\n\r\n", b"\x00"):
            with socket.socket(socket.AF_UNIX) as peer:
                peer.settimeout(20)
                peer.connect(os.path.join(host.folder, "admin.sock"))
                peer.sendall(garbage)
                peer.shutdown(socket.SHUT_WR)
                connection_outcome(peer)
        self.assertEqual(json.loads(host.ctl("status", "--json").stdout)["clients"], 0)


if __name__ == "__main__":
    main()
