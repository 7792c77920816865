"""Ranges, addresses, Unix sockets and visitors' times with real programs: nginx, curl, ss."""

import os
import re
import shutil
import signal
import socket
import stat

from harness import TunnelTest, connect, echo, main, refuses, run, tool, wait_until
from harness.net import free_port
from harness.programs import run_nginx


def free_row(count: int) -> int:
    """The first of so many free ports in a row."""
    for _ in range(200):
        first = free_port()
        probes = []
        try:
            for port in range(first, first + count):
                probes.append(socket.create_server(("127.0.0.1", port)))
            return first
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()
    raise AssertionError("no free ports in a row")


class Endpoints(TunnelTest):
    def setUp(self):
        super().setUp()
        self.curl = tool("curl")
        self.sockets = self.make_folder("sockets")

    def nginx(self, servers: str):
        run_nginx(self, servers)

    def fetch(self, *arguments) -> str:
        done = run([self.curl, "--silent", "--show-error", "--fail", "--max-time", "20", *arguments])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_a_range_of_ports_to_nginx(self):
        count = 4
        inside, outside = free_row(count), free_row(count)
        self.nginx("".join(f'server {{ listen 127.0.0.1:{inside + i}; location / {{ return 200 "port {i}"; }} }}\n'
                           for i in range(count)))
        both = self.tunnel()
        line = both.ctl("mapping", "add", "web", "--client", "home", "--tcp", f"{outside}-{outside + count - 1}",
                        "--to", f"{inside}-{inside + count - 1}").stdout
        self.assertIn(f"tcp://127.0.0.1:{outside}-{outside + count - 1} -> 127.0.0.1:{inside}-{inside + count - 1}", line)
        both.server.public_port("web")
        for i in range(count):
            self.assertEqual(self.fetch(f"http://127.0.0.1:{outside + i}/"), f"port {i}")
        both.ctl("mapping", "remove", "web")
        wait_until(lambda: all(refuses(outside + i) for i in range(count)), what="every port closed")

    def test_curl_through_two_unix_sockets_to_nginx(self):
        service, public = os.path.join(self.sockets, "service.sock"), os.path.join(self.sockets, "public.sock")
        body = self.path("www", "big.bin")
        os.makedirs(os.path.dirname(body))
        with open(body, "wb") as file:
            file.write(os.urandom(20_000_000))
        self.nginx(f"server {{ listen unix:{service}; root {os.path.dirname(body)}; }}")
        plain = os.path.join(self.sockets, "plain.sock")
        both = self.tunnel(server={"allow_unix": [f"{self.sockets}/*"]},
                           mappings=[{"name": "app", "unix": public, "to": f"unix:{service}"},
                                     {"name": "plain", "unix": plain, "to": f"unix:{service}", "encrypt": False}])
        for name, path in (("app", public), ("plain", plain)):
            with self.subTest(name):
                wait_until(lambda: os.path.exists(path), what="the public socket")
                self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o660)
                got = self.path("got.bin")
                self.fetch("--unix-socket", path, "-o", got, "http://app/big.bin")
                with open(got, "rb") as left, open(body, "rb") as right:
                    self.assertTrue(left.read() == right.read(), "the file came through unaltered")
                shown = both.ctl.mapping(name)
                self.assertEqual((shown["protocol"], shown["public_address"], shown["service"]), ("unix", path, f"unix:{service}"))
        self.assertEqual(both.server.stop(), 0)
        self.assertEqual(os.listdir(self.sockets), ["service.sock"], "the sockets go with the server")

    def test_a_killed_servers_socket_is_taken_over_and_files_are_not(self):
        public = os.path.join(self.sockets, "public.sock")
        page = self.service(echo)
        both = self.tunnel(port=free_port())
        both.ctl("mapping", "add", "app", "--client", "home", "--unix", public, "--to", page.address)
        wait_until(lambda: os.path.exists(public), what="the public socket")
        both.server.process.kill()
        self.assertTrue(os.path.exists(public), "a killed server cannot tidy up")
        both.server.start()
        both.server.wait_connected()

        def answers():
            try:
                with socket.socket(socket.AF_UNIX) as visitor:
                    visitor.settimeout(5)
                    visitor.connect(public)
                    visitor.sendall(b"hello")
                    return visitor.recv(5) == b"hello"
            except OSError:
                return False
        wait_until(answers, what="visitors served on the old path")
        both.ctl("mapping", "remove", "app")
        wait_until(lambda: not os.path.exists(public), what="the socket gone with its mapping")
        self.write("sockets/public.sock", "precious")
        done = both.ctl.run("mapping", "add", "app", "--client", "home", "--unix", public, "--to", page.address)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "is no socket: choose another path, or remove it")
        with open(public) as file:
            self.assertEqual(file.read(), "precious")

    def test_expose_speaks_the_same_words(self):
        public = os.path.join(self.sockets, "public.sock")
        page = self.service(echo)
        host = self.server(settings={"allow_unix": [public]}).start()
        client = self.client(link=host.ctl.add_client("home"))
        process = client.launch("expose", str(page.port), "--unix", public, "--idle-timeout", "10m", "--name", "app").process
        process.wait_for_line(rf"^app: unix:{re.escape(public)} -> {re.escape(page.address)}$", stream="out")
        self.assertEqual(host.ctl.mapping("app")["idle_timeout"], "10m")
        self.assertIn("idle_timeout=10m", host.ctl("mapping", "list").stdout)
        self.assertEqual(process.stop(signal.SIGINT), 0)
        wait_until(lambda: not os.path.exists(public), what="the socket gone after Ctrl-C")
        for words, sentence in ((["--tcp", "1-2"], "has 2 public ports and 1 of the service"),
                                (["--tcp", "80", "--unix", public], "--unix: a mapping has one public endpoint"),
                                (["--idle-timeout", "soon"], '--idle-timeout: "soon" is not a duration')):
            done = client.run("expose", str(page.port), *words)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(sentence, done.stderr)

    def test_idle_visitors_are_ended_and_the_log_says_why(self):
        page = self.service(echo)
        both = self.tunnel(mappings=[{"name": "web", "tcp": 0, "to": page.address, "idle_timeout": "1s"},
                                     {"name": "brief", "tcp": 0, "to": page.address, "lifetime": "1s"}])
        for name in ("web", "brief"):
            visitor = self.owned(connect(both.server.public_port(name)))
            visitor.sendall(b"x")
            self.assertEqual(visitor.recv(1), b"x")
            with self.assertRaises(ConnectionResetError):
                visitor.recv(1)
        both.server.process.wait_for_line(r"visitor closed.* mapping=web .*reason=idle")
        both.server.process.wait_for_line(r"visitor closed.* mapping=brief .*reason=lifetime")

    def test_keepalive_is_on_both_outer_sockets(self):
        ss = shutil.which("ss")
        if ss is None:
            self.skipTest("ss (iproute2) is not here")
        page = self.service(echo)
        both = self.tunnel(mappings=[{"name": "web", "tcp": 0, "to": page.address, "keepalive": "20m"},
                                     {"name": "off", "tcp": 0, "to": page.address, "keepalive": 0}])

        def keepalive_timers(port: int, end: str) -> list[str]:
            """The timers of this end of the established connections: "sport" is who was dialled."""
            out = run([ss, "-Htno", "state", "established", f"( {end} = :{port} )"]).stdout
            return re.findall(r"timer:\(keepalive,([^,]+),", out)
        for name, wanted in (("web", True), ("off", False)):
            port = both.server.public_port(name)
            visitor = self.owned(connect(port))
            visitor.sendall(b"x")
            self.assertEqual(visitor.recv(1), b"x")
            # Of the visitor's two ends ours has no keepalive; of the service's two the service's has none.
            for place in ((port, "sport"), (page.port, "dport")):
                if wanted:
                    # The service's socket gets it once its visitor has stayed for a moment.
                    wait_until(lambda: len(keepalive_timers(*place)) == 1, what="a keepalive timer")
                    self.assertRegex(keepalive_timers(*place)[0], r"^(19|20)min")
                else:
                    timers = keepalive_timers(*place)
                    self.assertEqual([timer for timer in timers if not timer.startswith(("19min", "20min"))], [])


if __name__ == "__main__":
    main()
