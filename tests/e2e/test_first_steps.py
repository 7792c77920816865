"""From nothing to a service on the public host: init, run, client add, join, expose - as a person does it."""

import os
import pty
import select
import signal
import stat
import subprocess
import termios

from harness import Client, TunnelTest, echo, is_root, main, ordinary_user, recv_to_end, refuses, run, tool, wait_until
from harness import connect, tunnel_binary
from harness.process import wrapped
from harness.system import give_to
from harness.tunnel import LINK

import socket


def content_of(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()


def mode(path: str) -> int:
    return stat.S_IMODE(os.stat(path).st_mode)


class Init(TunnelTest):
    def test_makes_all_files_and_refuses_to_overwrite(self):
        folder = self.make_folder("server")
        first = run([tunnel_binary("tunnel-server"), "init", "--public-host", "vps.example.com", "--dir", folder])
        self.assertEqual(first.returncode, 0, first.stderr)
        for name in ("server.toml", "server.key", "server.crt", "server.db"):
            self.assertTrue(os.path.exists(os.path.join(folder, name)), name)
        self.assertEqual(mode(os.path.join(folder, "server.key")) & 0o077, 0)
        before = {name: content_of(os.path.join(folder, name)) for name in ("server.toml", "server.key", "server.crt")}
        second = run([tunnel_binary("tunnel-server"), "init", "--public-host", "other.example.com", "--dir", folder])
        self.assertEqual(second.returncode, 1)
        self.assertIn(folder, second.stderr)
        for name, content in before.items():
            self.assertEqual(content_of(os.path.join(folder, name)), content, name)
        check = run([tunnel_binary("tunnel-server"), "check", "--dir", folder])
        self.assertEqual((check.returncode, check.stderr), (0, ""))
        self.assertRegex(check.stdout, r"server\.toml: ok")

    def test_each_program_tells_its_version_and_refuses_unknown_words(self):
        for name in ("tunnel-server", "tunnel-client"):
            self.assertRegex(run([tunnel_binary(name), "version"]).stdout, r"\d+\.\d+\.\d+")
        for name in ("tunnel-server", "tunnel-client", "tunnelctl"):
            self.assertEqual(run([tunnel_binary(name), "--help"]).returncode, 0)
            done = run([tunnel_binary(name), "flie"])
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertNotEqual(done.stderr, "")

    def test_ordinary_user_finds_everything_in_the_xdg_folders(self):
        user = ordinary_user()
        home = self.make_folder("home")
        give_to(home, user)
        env = {"HOME": home}

        def call(program, *arguments):
            return run([tunnel_binary(program, user), *arguments], user=user, env=env)
        done = call("tunnel-server", "init", "--public-host", "127.0.0.1", "--listen", "127.0.0.1:0")
        self.assertEqual(done.returncode, 0, done.stderr)
        config = os.path.join(home, ".config/tunnel/server.toml")
        self.assertTrue(os.path.exists(config))
        self.assertTrue(os.path.exists(os.path.join(home, ".local/state/tunnel/server.db")))
        server = self.start([tunnel_binary("tunnel-server", user), "run"], user=user, env=env)
        server.wait_for_line("server ready")
        link = call("tunnelctl", "client", "add", "home").stdout.strip()
        self.assertRegex(link, LINK)
        joined = call("tunnel-client", "join", link)
        self.assertEqual(joined.returncode, 0, joined.stderr)
        self.assertEqual(mode(os.path.join(home, ".config/tunnel/client.toml")), 0o600)
        self.assertEqual(server.stop(), 0)


class Join(TunnelTest):
    def setUp(self):
        super().setUp()
        self.host = self.server().start()
        added = self.host.ctl("client", "add", "home")
        self.link = added.stdout.rstrip("\n")
        self.assertRegex(self.link, LINK, "standard output is the link alone")
        self.assertIn(f":{self.host.port}?", self.link)
        self.secret = LINK.match(self.link).group("secret")

    def assert_joined(self, client: Client):
        self.assertEqual(mode(client.config), 0o600)
        self.assertIn(self.link, content_of(client.config).decode())
        client.start()
        self.host.wait_connected()

    def test_with_the_link_as_argument(self):
        client = self.client()
        done = client.run("join", self.link)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertNotIn(self.secret, done.stdout + done.stderr)
        self.assert_joined(client)

    def test_with_the_link_on_standard_input(self):
        client = self.client()
        done = client.run("join", input=self.link + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_joined(client)

    def test_asks_on_a_terminal(self):
        client = self.client()
        ours, theirs = pty.openpty()
        child = subprocess.Popen(wrapped([tunnel_binary("tunnel-client"), "join", "--dir", client.folder]),
                                 stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        os.close(theirs)
        shown = bytearray()

        def asked():
            if select.select([ours], [], [], 0)[0]:
                shown.extend(os.read(ours, 4096))
            return b"link" in shown.lower()
        wait_until(asked, what="a question for the link on the terminal")
        os.write(ours, self.link.encode() + b"\n")
        try:
            while select.select([ours], [], [], 30)[0]:
                shown.extend(os.read(ours, 4096))
        except OSError:
            pass  # EIO: the program has ended and the terminal with it
        os.close(ours)
        self.assertEqual(child.wait(30), 0, shown.decode(errors="replace"))
        self.assertNotIn(self.secret.encode(), shown, "the secret is not shown on the terminal")
        self.assert_joined(client)

    def test_interrupted_at_the_question_it_leaves_the_terminal_as_it_was(self):
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        self.addCleanup(os.close, theirs)
        echoes = lambda: bool(termios.tcgetattr(theirs)[3] & termios.ECHO)
        self.assertTrue(echoes())
        child = subprocess.Popen(wrapped([tunnel_binary("tunnel-client"), "join", "--dir", self.client().folder]),
                                 stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        wait_until(lambda: not echoes(), what="the terminal to be silent")
        child.send_signal(signal.SIGINT)
        self.assertEqual(child.wait(30), -signal.SIGINT)
        self.assertTrue(echoes())

    def test_saves_nothing_when_the_server_does_not_answer(self):
        self.assertEqual(self.host.stop(), 0)
        client = self.client()
        done = client.run("join", self.link)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"127\.0\.0\.1")
        self.assertFalse(os.path.exists(client.config))

    def test_refuses_what_is_no_link(self):
        for wrong in ("", "http://example.com", "tunnel://home@127.0.0.1:7000", self.link[:-5],
                      self.link.replace(self.secret, self.secret[:-3])):
            client = self.client()
            done = client.run("join", input=wrong + "\n")
            self.assertIn(done.returncode, (1, 2), wrong)
            self.assertRegex(done.stderr, "(?i)link", wrong)
            self.assertFalse(os.path.exists(client.config))

    def test_secret_is_in_no_command_line_log_or_store(self):
        client = self.client()
        self.assertEqual(client.run("join", input=self.link).returncode, 0)
        client.start()
        for process in (self.host.process, client.process):
            command = content_of(f"/proc/{process.pid}/cmdline").decode()
            self.assertNotIn(self.secret, command)
            self.assertNotIn(self.secret, process.err.text() + process.out.text())
        for verb in (("client", "list"), ("session", "list"), ("status",)):
            self.assertNotIn(self.secret, self.host.ctl(*verb, "--json").stdout)
        import base64
        raw = base64.urlsafe_b64decode(self.secret + "=")
        for folder, _, names in os.walk(self.host.folder):
            for name in names:
                path = os.path.join(folder, name)
                if stat.S_ISREG(os.stat(path).st_mode):
                    content = content_of(path)
                    self.assertNotIn(self.secret.encode(), content, path)
                    self.assertNotIn(raw, content, path)
                    self.assertNotIn(raw.hex().encode(), content.lower(), path)


class Expose(TunnelTest):
    def setUp(self):
        super().setUp()
        self.host = self.server().start()
        self.link = self.host.ctl.add_client("home")
        self.write("www/index.html", "<h1>hello from home</h1>\n")
        self.page = self.web(self.path("www"))

    def fetch(self, port: int) -> str:
        done = run([tool("curl"), "--silent", "--show-error", "--fail", "--max-time", "20", f"http://127.0.0.1:{port}/index.html"])
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def test_with_the_saved_config_until_ctrl_c(self):
        for options in ([], ["--no-encrypt"]):
            with self.subTest(options=options):
                client = self.client(link=self.link)
                process, port = client.expose(self.page.port, "--port", "0", "--name", "web", *options)
                self.assertRegex(process.out.text(), rf"^web: tcp://127\.0\.0\.1:{port} -> 127\.0\.0\.1:{self.page.port}$")
                self.assertIn("hello from home", self.fetch(port))
                shown = self.host.ctl.mapping("web")
                self.assertEqual((shown["source"], shown["encrypt"]), ("client", not options))
                self.assertEqual(process.stop(signal.SIGINT), 0)
                wait_until(lambda: refuses(port), what="the public port closed after Ctrl-C")

    def test_with_a_link_and_no_config(self):
        client = self.client()
        process, port = client.expose(f"localhost:{self.page.port}", "--link", self.link)
        self.assertIn("hello from home", self.fetch(port))
        self.assertEqual(process.stop(signal.SIGINT), 0)
        self.assertEqual(os.listdir(client.folder), [])

    def test_beside_a_running_client_of_the_same_name(self):
        first = self.client(link=self.link, mappings=[{"name": "own", "tcp": 0, "to": self.page.address}]).start()
        own = self.host.public_port("own")
        second = self.client(name="second", link=self.link)
        process, port = second.expose(self.page.port, "--name", "extra")
        self.assertIn("hello from home", self.fetch(port))
        self.assertIn("hello from home", self.fetch(own))
        self.assertEqual(process.stop(signal.SIGINT), 0)
        self.assertIn("hello from home", self.fetch(own))
        self.assertTrue(first.process.alive())

    def test_run_serves_what_the_config_declares(self):
        echo_service = self.service(echo)
        client = self.client(link=self.link, mappings=[
            {"name": "web", "tcp": 0, "to": self.page.address},
            {"name": "echo", "tcp": 0, "to": echo_service.address, "encrypt": False}]).start()
        self.assertIn("hello from home", self.fetch(self.host.public_port("web")))
        visitor = self.owned(connect(self.host.public_port("echo")))
        visitor.sendall(b"to and fro")
        visitor.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_to_end(visitor), b"to and fro")
        self.assertEqual(client.stop(), 0)
        ended = self.host.process.wait_for_line(r"visitor closed.* mapping=echo").string
        for field in ("client=home", "visitor=127.0.0.1:", "bytes_in=10", "bytes_out=10", "duration_ms=", "reason="):
            self.assertIn(field, ended)

    def test_needs_no_terminal_and_no_root(self):
        if not is_root():
            self.skipTest("already an ordinary user: the other tests show it")
        client = self.client(link=self.link, user=ordinary_user())
        process, port = client.expose(self.page.port)
        self.assertIn("hello from home", self.fetch(port))
        self.assertEqual(process.stop(signal.SIGTERM), 0)

    def test_says_what_to_do_without_config_and_link(self):
        done = self.client().run("expose", str(self.page.port))
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "join")


if __name__ == "__main__":
    main()
