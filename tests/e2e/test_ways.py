"""Out of a hard network, through the real programs that make it hard: tinyproxy, microsocks, nginx and HAProxy."""

import hashlib
import os
import random
import signal
import socket

from harness import (TunnelTest, connect, connection_outcome, echo, free_port, is_listening, main, recv_exactly, recv_to_end,
                     run, tool, wait_until)
from harness.programs import run_nginx, start_microsocks, start_tinyproxy
from test_half_close import answer_with_digest
from test_http import digest_of, make_file

SAMPLES = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "deploy", "samples"))
SIZE = 20_000_000
PASSWORD = "s3cret-of-the-proxy"


class WaysTest(TunnelTest):
    def setUp(self):
        super().setUp()
        self.curl = tool("curl")
        self.root = self.make_folder("www")
        self.seed = random.SystemRandom().randrange(1 << 32)
        print(f"seed {self.seed}", flush=True)
        self.web_server = self.web(self.root)
        self.host = self.server().start()
        self.link = self.host.ctl.add_client("home")

    def link_to(self, address: str, more: str = "") -> str:
        name, rest = self.link.split("@")
        return f"{name}@{address}?{rest.split('?')[1]}{more}"

    def come(self, link=None, env=None, **settings):
        """A running client with one encrypted and one plain mapping of the web server."""
        mappings = [{"name": name, "tcp": 0, "to": f"127.0.0.1:{self.web_server.port}", "encrypt": name == "sealed"}
                    for name in ("sealed", "plain")]
        self.home = self.client(link=link or self.link, settings=settings, mappings=mappings, env=env).start()
        self.host.wait_connected()
        return self.home

    def fetch(self, mapping: str) -> None:
        digest = make_file(os.path.join(self.root, "file.bin"), SIZE, self.seed)
        port = self.host.public_port(mapping)
        got = self.path("got.bin")
        done = run([self.curl, "-sS", "--fail", "-o", got, f"http://127.0.0.1:{port}/file.bin"], deadline=120)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(digest_of(got), digest)

    def fetch_both(self) -> None:
        self.fetch("sealed")
        self.fetch("plain")

    def map_both(self, handler) -> dict[bool, int]:
        """The public ports of an encrypted and a plain mapping of one more service."""
        service, ports = self.service(handler), {}
        for encrypt in (True, False):
            name = f"more-{encrypt}"
            self.host.ctl("mapping", "add", name, "--client", "home", "--tcp", 0, "--to", f"127.0.0.1:{service.port}",
                          *([] if encrypt else ["--no-encrypt"]))
            ports[encrypt] = self.host.public_port(name)
        return ports

    def check_half_close(self) -> None:
        question = random.Random(self.seed).randbytes(3_000_000)
        for encrypt, port in self.map_both(answer_with_digest).items():
            with self.subTest(encrypt=encrypt):
                visitor = self.owned(connect(port))
                visitor.sendall(question)
                visitor.shutdown(socket.SHUT_WR)
                answer = recv_to_end(visitor)
                self.assertEqual(answer[:32], hashlib.sha256(question).digest())
                self.assertEqual(len(answer), 32 + 3_000_000)

    def check_lost_and_found(self, station, start_again) -> None:
        """Kills what stands on the way, and the client comes back through the one that takes its place."""
        mark = self.home.process.mark()
        os.killpg(station.pid, signal.SIGKILL)
        station.killed = True
        self.home.process.wait_for_line("reconnecting", start=mark)
        start_again()
        self.home.process.wait_for_line("client ready", start=mark, deadline=30)
        self.fetch_both()

    def check_new_session(self) -> None:
        """Closes the session alone: what it went through is still there."""
        mark = self.home.process.mark()
        self.host.ctl("session", "close", "home")
        self.home.process.wait_for_line("client ready", start=mark)
        self.fetch("sealed")

    def session(self) -> dict:
        return self.host.ctl.json("session", "list")[0]

    def what_join_says(self, link=None, **settings) -> str:
        client = self.client(name="joins", settings=settings)
        if settings:
            client.write_config()
        done = client.run("join", input=link or self.link, deadline=90)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertNotIn(PASSWORD, done.stdout + done.stderr)
        return done.stderr


class Proxies(WaysTest):
    def test_tinyproxy_with_a_login_from_the_config(self):
        proxy, port = start_tinyproxy(self, f"BasicAuth me {PASSWORD}")
        self.come(proxy=f"http://me:{PASSWORD}@127.0.0.1:{port}")
        self.fetch_both()
        self.home.process.wait_for_line(f"client ready .*direct through the HTTP proxy 127.0.0.1:{port}")
        self.assertEqual(self.session()["way"], "direct")
        self.check_half_close()
        self.check_new_session()
        self.check_lost_and_found(proxy, lambda: start_tinyproxy(self, f"BasicAuth me {PASSWORD}", port))
        self.assertNotIn(PASSWORD, self.home.process.err.text())
        with open(f"/proc/{self.home.process.pid}/cmdline") as words:
            self.assertNotIn(PASSWORD, words.read())

    def test_tinyproxy_from_the_environment(self):
        _, port = start_tinyproxy(self, f"BasicAuth me {PASSWORD}")
        self.come(env={"HTTPS_PROXY": f"http://me:{PASSWORD}@127.0.0.1:{port}"})
        self.fetch_both()
        self.home.process.wait_for_line(f"client ready .*HTTP proxy 127.0.0.1:{port}")
        self.assertNotIn(PASSWORD, self.home.process.err.text())
        self.home.stop()
        self.come(env={"HTTPS_PROXY": f"http://127.0.0.1:{port}", "NO_PROXY": "127.0.0.0/8"})
        self.home.process.wait_for_line("client ready .*way=direct ")

    def test_what_tinyproxy_refuses(self):
        _, asking = start_tinyproxy(self, f"BasicAuth me {PASSWORD}")
        self.assertIn("it asks for a user and password", self.what_join_says(proxy=f"http://127.0.0.1:{asking}"))
        self.assertIn("does not accept the user and password",
                      self.what_join_says(proxy=f"http://me:{PASSWORD}wrong@127.0.0.1:{asking}"))
        _, strict = start_tinyproxy(self, "ConnectPort 443")
        self.assertIn("many proxies let only port 443 through", self.what_join_says(proxy=f"http://127.0.0.1:{strict}"))
        nobody = free_port()
        self.assertIn("cannot reach the HTTP proxy", self.what_join_says(proxy=f"http://127.0.0.1:{nobody}"))
        self.assertRegex(self.what_join_says(proxy="http://proxy.invalid:3128"),
                         "cannot reach the HTTP proxy proxy.invalid:3128 .*named by `proxy`")
        self.assertIn(f"no answer from the SOCKS5 proxy 127.0.0.1:{strict} within 10s: is it a proxy of that kind",
                      self.what_join_says(proxy=f"socks5://127.0.0.1:{strict}"))

    def test_microsocks_with_a_login_resolves_the_name(self):
        proxy, port = start_microsocks(self, "me", PASSWORD)
        self.come(self.link_to(f"localhost:{self.host.port}"), proxy=f"socks5://me:{PASSWORD}@127.0.0.1:{port}")
        self.fetch_both()
        self.check_half_close()
        self.home.process.wait_for_line(f"client ready .*direct through the SOCKS5 proxy 127.0.0.1:{port}")
        self.check_new_session()
        self.check_lost_and_found(proxy, lambda: start_microsocks(self, "me", PASSWORD, port=port))
        self.assertNotIn(PASSWORD, self.home.process.err.text())

    def test_what_microsocks_refuses(self):
        _, port = start_microsocks(self, "me", PASSWORD)
        self.assertIn("it asks for a user and password", self.what_join_says(proxy=f"socks5://127.0.0.1:{port}"))
        self.assertIn("does not accept the user and password",
                      self.what_join_says(proxy=f"socks5://me:{PASSWORD}wrong@127.0.0.1:{port}"))


class Servers(WaysTest):
    def test_the_first_is_dead_and_the_second_is_another(self):
        dead, other = free_port(), self.server(name="other").start()
        self.come(self.link_to(f"127.0.0.1:{dead}"), servers=[f"127.0.0.1:{other.port}", f"127.0.0.1:{self.host.port}"])
        said = self.home.process
        said.wait_for_line(f"trying another way .*server=127.0.0.1:{dead} .*cannot reach the server")
        said.wait_for_line(f"trying another way .*server=127.0.0.1:{other.port} .*does not match the pin")
        said.wait_for_line(f"client ready .*server=127.0.0.1:{self.host.port} ")
        self.fetch("sealed")
        self.check_new_session()
        # It began with the one that had worked.
        self.assertEqual(len([line for line in said.err.text().splitlines() if f"server=127.0.0.1:{dead} " in line]), 1)

    def test_check_tells_the_ways_in_their_order(self):
        client = self.client(name="checks", link=self.link, settings={
            "servers": ["vps.example.com:443"], "proxy": f"http://me:{PASSWORD}@127.0.0.1:3128"})
        client.write_config()
        done = client.run("check")
        through = "through the HTTP proxy 127.0.0.1:3128"
        self.assertEqual(done.stdout.splitlines()[1:], [
            "ways to the server, tried in turn:",
            f"  127.0.0.1:{self.host.port} direct {through}",
            f"  127.0.0.1:{self.host.port} websocket {through}",
            f"  vps.example.com:443 direct {through}",
            f"  vps.example.com:443 websocket {through}"])


class InFront(WaysTest):
    """The samples of deploy/samples, with this test's ports and a certificate that is not the tunnel-server's."""

    def setUp(self):
        super().setUp()
        front = self.server(name="front").folder
        self.certificate, self.key = os.path.join(front, "server.crt"), os.path.join(front, "server.key")

    def sample(self, name: str, replacements: dict[str, str]) -> str:
        with open(os.path.join(SAMPLES, name)) as file:
            text = file.read()
        for theirs, ours in replacements.items():
            self.assertIn(theirs, text, f"{name} has it no more")
            text = text.replace(theirs, ours)
        return text

    def nginx(self, upstream=None, change=lambda text: text, port=None):
        port = port or free_port()
        servers = self.sample("nginx.conf", {
            "listen 443 ssl": f"listen 127.0.0.1:{port} ssl",
            "/etc/letsencrypt/live/vps.example.com/fullchain.pem": self.certificate,
            "/etc/letsencrypt/live/vps.example.com/privkey.pem": self.key,
            "127.0.0.1:7000": f"127.0.0.1:{upstream or self.host.port}"})
        process = run_nginx(self, change(servers), f"nginx-{port}")
        wait_until(lambda: is_listening(port) or not process.alive(), what="nginx listens")
        self.assertTrue(process.alive(), process.report())
        return process, port

    def haproxy(self, port=None):
        port = port or free_port()
        with open(self.certificate) as crt, open(self.key) as key:
            pem = self.write("front.pem", crt.read() + key.read(), 0o600)
        config = self.write("haproxy.cfg", self.sample("haproxy.cfg", {
            "bind :443 ssl": f"bind 127.0.0.1:{port} ssl", "/etc/haproxy/vps.example.com.pem": pem,
            "127.0.0.1:7000": f"127.0.0.1:{self.host.port}"}))
        process = self.start([tool("haproxy"), "-db", "-f", config])
        wait_until(lambda: is_listening(port) or not process.alive(), what="haproxy listens")
        self.assertTrue(process.alive(), process.report())
        return process, port

    def test_the_tunnel_port_itself(self):
        self.come(way="websocket")
        self.fetch_both()
        self.assertEqual(self.session()["way"], "websocket")
        self.assertIn("websocket", self.host.ctl("session", "list").stdout)
        self.check_half_close()
        self.check_new_session()

    def test_nginx(self):
        process, port = self.nginx()
        self.come(self.link_to(f"127.0.0.1:{port}", "&via=wss"))
        self.fetch_both()
        self.assertEqual(self.session()["way"], "websocket")
        self.assertEqual(self.session()["address"], "127.0.0.1", "told by nginx, which tells no port")
        self.check_half_close()
        self.check_new_session()
        self.check_lost_and_found(process, lambda: self.nginx(port=port))

    def test_haproxy(self):
        process, port = self.haproxy()
        self.come(self.link_to(f"127.0.0.1:{port}", "&via=wss"))
        self.fetch_both()
        self.assertEqual(self.session()["way"], "websocket")
        self.check_half_close()
        self.check_new_session()
        self.check_lost_and_found(process, lambda: self.haproxy(port=port))

    def test_auto_meets_a_foreign_certificate_and_goes_on(self):
        _, port = self.nginx()
        self.come(self.link_to(f"127.0.0.1:{port}"))
        self.home.process.wait_for_line("trying another way .*way=direct .*does not match the pin")
        self.home.process.wait_for_line("client ready .*way=websocket")
        self.fetch("plain")

    def test_who_opens_the_outer_tls_is_not_taken_for_the_server(self):
        """The way leads to another tunnel-server: the pin is checked inside."""
        other = self.server(name="other").start()
        _, port = self.nginx(upstream=other.port)
        self.assertIn("does not match the pin", self.what_join_says(self.link_to(f"127.0.0.1:{port}", "&via=wss")))
        self.assertEqual(other.ctl.json("session", "list"), [])

    def test_through_a_proxy_and_nginx(self):
        _, front = self.nginx()
        _, proxy = start_tinyproxy(self, f"BasicAuth me {PASSWORD}\nConnectPort {front}")
        self.come(self.link_to(f"127.0.0.1:{front}", "&via=wss"), proxy=f"http://me:{PASSWORD}@127.0.0.1:{proxy}")
        self.fetch_both()
        self.home.process.wait_for_line(f"client ready .*websocket through the HTTP proxy 127.0.0.1:{proxy}")

    def test_what_a_web_server_refuses(self):
        _, elsewhere = self.nginx(change=lambda text: text.replace("location = /tunnel", "location = /other"))
        self.assertRegex(self.what_join_says(self.link_to(f"127.0.0.1:{elsewhere}", "&via=wss")),
                         "HTTP 404 .*deploy/samples/nginx.conf")
        _, dead_end = self.nginx(upstream=free_port())
        self.assertRegex(self.what_join_says(self.link_to(f"127.0.0.1:{dead_end}", "&via=wss")),
                         "HTTP 502 .*does not reach tunnel-server")
        _, plain = self.nginx(change=lambda text: text.replace('proxy_set_header Connection "upgrade";', ""))
        self.assertRegex(self.what_join_says(self.link_to(f"127.0.0.1:{plain}", "&via=wss")),
                         "HTTP 426 .*Upgrade and Connection")

    def test_a_front_that_is_killed_is_a_reset_for_visitors(self):
        process, port = self.nginx()
        self.come(self.link_to(f"127.0.0.1:{port}", "&via=wss"))
        visitors = []
        for public in self.map_both(echo).values():
            visitor = self.owned(connect(public))
            visitor.sendall(b"hello")
            self.assertEqual(recv_exactly(visitor, 5), b"hello")
            visitors.append(visitor)
        os.killpg(process.pid, signal.SIGKILL)
        process.killed = True
        for visitor in visitors:
            self.assertEqual(connection_outcome(visitor), ("reset", 0))


if __name__ == "__main__":
    main()
