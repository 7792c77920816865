"""Who may not come in: each gets a defined answer, a message that says what to do, and changes nothing."""

import datetime
import os
import re
import socket

from harness import TunnelTest, connect, echo, is_root, main, ordinary_user, recv_exactly, run, tunnel_binary, wait_until
from harness.tunnel import LINK


def swapped(link: str, part: str) -> str:
    """The link with a changed secret, pin or name."""
    value = LINK.match(link).group(part)
    other = "somebody" if part == "name" else ("B" if value[0] != "B" else "C") + value[1:]
    return link.replace(value, other, 1)


class Login(TunnelTest):
    def setUp(self):
        super().setUp()
        self.host = self.server().start()
        self.link = self.host.ctl.add_client("home")

    def assert_refused(self, link: str, says: str, server_says: str | None):
        """Both at `join` and at `run`."""
        mark = self.host.process.mark()
        joining = self.client(name="joining")
        done = joining.run("join", link)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertRegex(done.stderr, says)
        self.assertFalse(os.path.exists(joining.config))
        if server_says:
            self.host.process.wait_for_line(server_says, start=mark)
        running = self.client(name="running", link=link).launch().process
        running.wait_for_line(says)
        running.end()
        for text in (done.stderr, running.err.text(), self.host.process.err.text()):
            self.assertNotIn(LINK.match(link).group("secret"), text)
        self.assertEqual(self.host.ctl.json("session", "list"), [])

    def test_wrong_secret(self):
        before = self.host.ctl.json("status")["refused_logins"]
        self.assert_refused(swapped(self.link, "secret"), "(?i)secret|refused", "login refused.*home")
        self.assertGreater(self.host.ctl.json("status")["refused_logins"], before)

    def test_wrong_pin(self):
        self.assert_refused(swapped(self.link, "pin"), "(?i)pin|identity|key", None)

    def test_unknown_client(self):
        self.assert_refused(swapped(self.link, "name"), "(?i)refused|unknown|secret", "login refused.*somebody")

    def test_unknown_name_and_wrong_secret_get_the_same_answer(self):
        answers = set()
        for part in ("name", "secret"):
            done = self.client(name=f"{part}-asks").run("join", swapped(self.link, part))
            answers.add(re.sub("somebody|home", "NAME", done.stderr))
        self.assertEqual(len(answers), 1, answers)

    def test_expired_client(self):
        soon = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=4)
        link = self.host.ctl.add_client("guest", "--expires", soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
        guest = self.client(name="guest", link=link).start()
        self.host.wait_connected("guest")
        wait_until(lambda: self.host.ctl.client("guest")["state"] == "expired", 20, "the guest expired")
        wait_until(lambda: self.host.ctl.json("session", "list") == [], what="the expired client's session ended")
        guest.process.end()
        self.assert_refused(link, "(?i)expired", "login refused.*guest")

    def test_refused_client_does_not_hammer_the_server(self):
        mark = self.host.process.mark()
        refused = self.client(link=swapped(self.link, "secret")).launch().process
        self.host.process.wait_for_line("login refused", start=mark)
        first = self.host.ctl.json("status")["refused_logins"]
        # Either it ends and says why, or it keeps trying at a walk.
        wait_until(lambda: not refused.alive() or self.host.ctl.json("status")["refused_logins"] > first, 30)
        self.assertLess(self.host.ctl.json("status")["refused_logins"] - first, 3)

    def test_bad_logins_do_not_disturb_others(self):
        service = self.service(echo)
        self.client(link=self.link, mappings=[{"name": "echo", "tcp": 0, "to": service.address}]).start()
        with connect(self.host.public_port("echo")) as visitor:
            self.client(name="stranger").run("join", swapped(self.link, "secret"))
            visitor.sendall(b"still here")
            self.assertEqual(recv_exactly(visitor, 10), b"still here")


class Doors(TunnelTest):
    def test_admin_socket_is_closed_to_other_users(self):
        if not is_root():
            self.skipTest("needs a second user: run as root")
        host = self.server().start()
        user = ordinary_user()
        os.chmod(host.folder, 0o755)
        done = run([tunnel_binary("tunnelctl", user), "status", "--socket", os.path.join(host.folder, "admin.sock")], user=user)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "(?i)permission")
        self.assertRegex(done.stderr, "(?i)group|sudo|root")

    def test_store_from_a_newer_version(self):
        import sqlite3
        host = self.server().start()
        host.ctl.add_client("home")
        self.assertEqual(host.stop(), 0)
        store = os.path.join(host.folder, "server.db")
        with sqlite3.connect(store) as database:
            (version,) = database.execute("PRAGMA user_version").fetchone()
            database.execute("PRAGMA user_version = 999")
        database.close()
        host.launch()
        self.assertEqual(host.process.wait(), 1)
        self.assertRegex(host.process.err.text(), "newer")
        self.assertRegex(host.process.err.text(), "server.db")
        with sqlite3.connect(store) as database:
            self.assertEqual(database.execute("PRAGMA user_version").fetchone(), (999,))
            database.execute(f"PRAGMA user_version = {version}")
        database.close()
        host.start()
        self.assertEqual(host.ctl.client("home")["name"], "home")

    def test_second_server_on_the_same_folder(self):
        host = self.server().start()
        second = self.start([tunnel_binary("tunnel-server"), "run", "--dir", host.folder])
        self.assertEqual(second.wait(), 1)
        self.assertNotEqual(second.err.text(), "")
        self.assertEqual(host.ctl.json("status")["sessions"], 0)

    def test_tunnel_port_in_use(self):
        other = self.service(echo)
        host = self.server(port=other.port).launch()
        self.assertEqual(host.process.wait(), 1)
        self.assertRegex(host.process.err.text(), f"127.0.0.1:{other.port}")
        self.assertRegex(host.process.err.text(), "(?i)in use")

    def test_tunnel_port_in_use_for_a_moment(self):
        with socket.create_server(("127.0.0.1", 0)) as predecessor:
            host = self.server(port=predecessor.getsockname()[1]).launch()
            host.process.wait_for_line("waiting for an address.*in use")
        host.process.wait_for_line("server ready")

    def test_admin_socket_in_use_for_a_moment(self):
        host = self.server()
        with socket.socket(socket.AF_UNIX) as predecessor:
            predecessor.bind(os.path.join(host.folder, "admin.sock"))
            predecessor.listen()
            host.launch()
            host.process.wait_for_line("waiting for an address.*admin.sock is in use")
        host.process.wait_for_line("server ready")
        self.assertEqual(host.ctl.json("status")["sessions"], 0)

    def test_file_in_the_admin_sockets_place_is_left_alone(self):
        host = self.server()
        path = os.path.join(host.folder, "admin.sock")
        with open(path, "w", encoding="utf-8") as file:
            file.write("precious")
        host.launch()
        self.assertEqual(host.process.wait(), 1)
        self.assertRegex(host.process.err.text(), "admin.socket: .*admin.sock is there already and is no socket")
        with open(path, encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")


if __name__ == "__main__":
    main()
