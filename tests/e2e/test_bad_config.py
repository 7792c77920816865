"""Configs and command lines that cannot be: every error at once, with its place, and exit code 2."""

import os

from harness import TunnelTest, main, run, tunnel_binary

WRONG_SERVER = """public_host = "vps.example.com"
listne = ["127.0.0.1:0"]
workers = "many"
[heartbeat]
interval = "soon"
[log]
  colour = true
"""

WRONG_CLIENT = """link = "tunnel://nobody"
[[mapping]]
name = "ssh"
tcp = 70000
to = "127.0.0.1:22"
encript = false
"""


class Check(TunnelTest):
    def check(self, program: str, *arguments):
        return run([tunnel_binary(program), "check", *arguments])

    def test_server_errors_with_file_line_and_column_all_at_once(self):
        host = self.server()
        self.write("server/server.toml", WRONG_SERVER)
        for verb in ("check", "run"):
            done = host.run(verb)
            self.assertEqual(done.returncode, 2, done.stderr)
            for place in ("2:1", "3:11", "5:12", "7:3"):
                self.assertIn(f"{host.config}:{place}: ", done.stderr, verb)
        self.assertRegex(self.check("tunnel-server", "--dir", host.folder).stderr, "listen", "names the likely key")

    def test_client_errors_with_file_line_and_column_all_at_once(self):
        path = self.write("client/client.toml", WRONG_CLIENT, 0o600)
        for arguments in (("--dir", self.path("client")), ("--config", path)):
            done = self.check("tunnel-client", *arguments)
            self.assertEqual(done.returncode, 2)
            for place in ("1:8", "4:7", "6:1"):
                self.assertIn(f"client.toml:{place}: ", done.stderr)

    def test_broken_toml(self):
        host = self.server()
        self.write("server/server.toml", "listen = [\n")
        done = host.run("check")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"server\.toml:[12]:\d+: ")

    def test_ok(self):
        host = self.server()
        self.assertEqual(host.run("check").returncode, 0)
        host.start()
        client = self.client(link=host.ctl.add_client("home"))
        done = client.run("check")
        self.assertEqual((done.returncode, done.stdout.splitlines()[0]), (0, f"{client.config}: ok"))

    def test_missing_config_says_what_to_do(self):
        folder = self.make_folder("empty")
        server = run([tunnel_binary("tunnel-server"), "run", "--dir", folder])
        self.assertNotEqual(server.returncode, 0)
        self.assertIn("tunnel-server init", server.stderr)
        client = run([tunnel_binary("tunnel-client"), "run", "--dir", folder])
        self.assertNotEqual(client.returncode, 0)
        self.assertIn("join", client.stderr)

    def test_missing_key_says_what_to_do(self):
        host = self.server()
        os.remove(os.path.join(host.folder, "server.key"))
        done = host.run("run")
        self.assertIn(done.returncode, (1, 2))
        self.assertIn("server.key", done.stderr)

    def test_wrong_usage(self):
        cases = [("tunnel-client", "expose"), ("tunnel-client", "expose", "22", "--port", "seventy"),
                 ("tunnel-client", "expose", "not a service"), ("tunnelctl", "mapping", "add", "x"),
                 ("tunnelctl",), ("tunnel-server", "run", "--dir", "/a", "--config", "/b"),
                 ("tunnelctl", "mapping", "fly", "x"), ("tunnel-server", "init", "--listen", "here")]
        for program, *arguments in cases:
            done = run([tunnel_binary(program), *arguments], env={"HOME": self.folder})
            self.assertEqual(done.returncode, 2, (program, arguments, done.stdout, done.stderr))
            self.assertNotEqual(done.stderr.strip(), "")


if __name__ == "__main__":
    main()
