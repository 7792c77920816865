"""The visitor's real address and who may visit, with real programs: nginx and HAProxy take the PROXY headers we send,
HAProxy sends the ones we take, and tunnelctl sets and shows limits."""

import socket

from harness import TunnelTest, main, run, tool, wait_until
from harness.net import free_port, is_listening
from harness.programs import run_nginx

# A service that tells what its PROXY header said.
NGINX_SERVICE = """server {{
    listen 127.0.0.1:{port} proxy_protocol;
    location / {{ return 200 "$proxy_protocol_addr to $proxy_protocol_server_port"; }}
  }}"""

HAPROXY = """
global
  maxconn 100
defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
"""

# The same.
HAPROXY_SERVICE = HAPROXY + """
frontend service
  bind 127.0.0.1:{port} accept-proxy
  http-request return status 200 content-type text/plain lf-string "%[src] to %[dst_port] %[fc_pp_unique_id]"
"""

# In front of the tunnel.
HAPROXY_FRONT = HAPROXY + """
frontend front
  bind 127.0.0.1:{port}
  unique-id-format tea-%pid
  default_backend tunnel
backend tunnel
  server tunnel 127.0.0.1:{public} {send}
"""

VISITOR = "127.0.0.5"


class Visitors(TunnelTest):
    def nginx(self) -> int:
        port = free_port()
        return self.listening(run_nginx(self, NGINX_SERVICE.format(port=port)), port)

    def haproxy(self, name: str, text: str, **values) -> int:
        port = free_port()
        config = self.write(f"haproxy/{name}.cfg", text.format(port=port, **values))
        return self.listening(self.start([tool("haproxy"), "-db", "-f", config]), port)

    def listening(self, process, port: int) -> int:
        wait_until(lambda: is_listening(port) or not process.alive(), what="the program listens")
        self.assertTrue(process.alive(), process.report())
        return port

    def fetch(self, port: int, visitor: str = VISITOR) -> str:
        done = run([tool("curl"), "--silent", "--show-error", "--fail", "--max-time", "20", "--interface", visitor,
                    f"http://127.0.0.1:{port}/"])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def refused(self, port: int, visitor: str = VISITOR):
        with socket.socket() as peer, self.assertRaises((ConnectionResetError, BrokenPipeError)):
            peer.settimeout(20)
            peer.bind((visitor, 0))
            peer.connect(("127.0.0.1", port))
            peer.sendall(b"GET / HTTP/1.0\r\n\r\n")
            peer.recv(1)

    def test_nginx_and_haproxy_learn_the_visitors_address(self):
        services = {"nginx": self.nginx(), "haproxy": self.haproxy("service", HAPROXY_SERVICE)}
        mappings = [{"name": f"{name}-{version}-{encrypt}", "tcp": 0, "to": f"127.0.0.1:{port}", "encrypt": encrypt,
                     "proxy_protocol": version}
                    for name, port in services.items() for version in ("v1", "v2") for encrypt in (True, False)]
        both = self.tunnel(mappings=mappings)
        for mapping in mappings:
            with self.subTest(mapping["name"]):
                public = both.server.public_port(mapping["name"])
                self.assertEqual(self.fetch(public).strip().removesuffix(" -"), f"{VISITOR} to {public}")
                self.assertEqual(both.ctl.mapping(mapping["name"])["proxy_protocol"], mapping["proxy_protocol"])

    def test_haproxy_in_front_tells_who_the_visitor_is(self):
        service = self.haproxy("service", HAPROXY_SERVICE)
        both = self.tunnel(mappings=[{"name": "web", "tcp": 0, "to": f"127.0.0.1:{service}", "proxy_protocol": "v2",
                                      "accept_proxy_from": ["127.0.0.1"]}])
        public = both.server.public_port("web")
        for i, send in enumerate(("send-proxy", "send-proxy-v2", "send-proxy-v2 proxy-v2-options crc32c,unique-id")):
            with self.subTest(send):
                front = self.haproxy(f"front{i}", HAPROXY_FRONT, public=public, send=send)
                got = self.fetch(front)
                self.assertTrue(got.startswith(f"{VISITOR} to {front}"), got)
                if "unique-id" in send:
                    self.assertIn("tea-", got, "its entry is kept on the way")
        self.refused(public, "127.0.0.1")
        wait_until(lambda: both.ctl.mapping("web")["refusals"].get("proxy_header") == 1, what="the refusal is counted")
        self.assertTrue(self.fetch(public, "127.0.0.7").startswith("127.0.0.7 to"), "who is no proxy is a visitor")
        both.ctl("mapping", "add", "fenced", "--client", "home", "--tcp", "0", "--to", f"127.0.0.1:{service}",
                 "--proxy-protocol", "v2", "--accept-proxy-from", "127.0.0.1", "--deny", VISITOR)
        fenced = self.haproxy("fenced", HAPROXY_FRONT, public=both.server.public_port("fenced"), send="send-proxy-v2")
        self.assertNotEqual(run([tool("curl"), "--silent", "--fail", "--max-time", "20", "--interface", VISITOR,
                                 f"http://127.0.0.1:{fenced}/"]).returncode, 0)
        self.assertGreaterEqual(both.ctl.mapping("fenced")["refusals"]["denied"], 1)

    def test_expose_speaks_the_same_words(self):
        self.write("www/index.html", "hello")
        page = self.web(self.make_folder("www"))
        host = self.server().start()
        client = self.client(link=host.ctl.add_client("home"))
        process, public = client.expose(page.address, "--tcp", "0", "--name", "web", "--allow", "127.0.0.0/8",
                                        "--allow", "192.0.2.0/24", "--deny", VISITOR, "--bandwidth-out", "20Mbit")
        self.assertEqual(self.fetch(public, "127.0.0.6"), "hello")
        self.refused(public)
        shown = host.ctl.mapping("web")
        self.assertEqual((shown["allow"], shown["deny"]), (["127.0.0.0/8", "192.0.2.0/24"], [VISITOR]))
        self.assertEqual((shown["bandwidth_out"], shown["refusals"]), ("20Mbit", {"denied": 1}))
        self.assertIn(f"deny={VISITOR}", host.ctl("mapping", "list").stdout)
        self.assertEqual(process.stop(), 0)
        done = client.run("expose", page.address, "--deny", "teapot")
        self.assertEqual(done.returncode, 2)
        self.assertIn('--deny: "teapot" is not a network', done.stderr)

    def test_what_the_admin_sets_for_a_client_holds_at_once_and_after_a_restart(self):
        page = self.make_folder("www")
        self.write("www/index.html", "hello")
        both = self.tunnel(port=free_port(), mappings=[{"name": "web", "tcp": 0, "to": self.web(page).address}])
        public = both.server.public_port("web")
        self.assertEqual(self.fetch(public), "hello")
        shown = both.ctl("client", "set", "home", "--deny", VISITOR, "--max-visitors", "50", "--bandwidth-out", "20Mbit",
                         "--monthly-traffic", "5GB", "--expires", "30d").stdout
        self.assertIn(f"deny={VISITOR} max_visitors=50 bandwidth_out=20Mbit", shown)
        self.assertRegex(shown, "expires: in (29|30)d")
        self.refused(public)
        self.assertEqual(self.fetch(public, "127.0.0.6"), "hello")
        both.server.stop()
        both.server.start()
        both.server.wait_connected()
        public = both.server.public_port("web")
        self.refused(public)
        self.assertIn("denied=1", both.ctl("mapping", "show", "web").stdout)
        self.assertEqual(both.ctl.json("client", "show", "home")["settings"]["monthly_traffic"], ["5GB"])
        both.ctl("client", "set", "home", "--deny", "none")
        self.assertEqual(self.fetch(public), "hello")
        refused = both.ctl.run("client", "set", "home", "--bandwidth-out", "fast")
        self.assertEqual(refused.returncode, 2)
        self.assertIn('--bandwidth-out: "fast" is not a speed', refused.stderr)


if __name__ == "__main__":
    main()
