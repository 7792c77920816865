"""Mappings with several services, with real programs: nginx behind, curl in front."""

import os
import signal
import threading
import time

from harness import TunnelTest, free_port, is_listening, main, run, tool, wait_until
from harness.programs import run_nginx

SITE = """server {{
    listen 127.0.0.1:{port};
    location = /who {{ return 200 "{name}"; }}
    location = /health {{ if (-f {folder}/sick) {{ return 500; }} return 204; }}
  }}"""


class Load:
    """Asks again and again who serves, from several threads at a time."""

    def __init__(self, ask, threads=4):
        self._ask = ask
        self._stopped = threading.Event()
        self._asked = []  # when it began, who answered or what went wrong
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def _run(self):
        while not self._stopped.is_set():
            began = time.monotonic()
            done = self._ask()
            self._asked.append((began, done.stdout if done.returncode == 0 else f"curl ended with {done.returncode}: {done.stderr}"))

    def answers(self, after: float) -> list:
        """Of the requests that began after this moment and are done."""
        return [answer for began, answer in list(self._asked) if began > after]

    def wait_for(self, count: int, after: float) -> set:
        """Who answered those requests, once there are that many."""
        wait_until(lambda: len(self.answers(after)) >= count, 60, f"{count} more requests are done")
        return set(self.answers(after))

    def stop(self):
        self._stopped.set()
        for thread in self._threads:
            thread.join()


class Groups(TunnelTest):
    def setUp(self):
        super().setUp()
        self.curl = tool("curl")

    def nginx(self, name: str):
        """Says its name at /who, and at /health that it is well unless the file `sick` stands in its folder."""
        port, folder = free_port(), self.make_folder(name)
        process = run_nginx(self, SITE.format(folder=folder, port=port, name=name), name)
        wait_until(lambda: is_listening(port) or not process.alive(), what=f"{name} listens")
        self.assertTrue(process.alive(), process.report())
        return process, f"127.0.0.1:{port}", folder

    def ask(self, port: int):
        return run([self.curl, "-sS", "--fail", f"http://127.0.0.1:{port}/who"], deadline=20)

    def who(self, port: int) -> str:
        done = self.ask(port)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout

    def load(self, port: int) -> Load:
        load = Load(lambda: self.ask(port))
        self.addCleanup(load.stop)
        return load

    def test_two_clients_share_a_site_and_no_request_fails_when_one_of_them_or_its_service_dies(self):
        first_nginx, first, _ = self.nginx("first")
        _, second, _ = self.nginx("second")
        both = self.tunnel()
        port = free_port()
        both.ctl("mapping", "add", "site", "--client", "home", "--tcp", port, "--to", first, "--group", "site")
        self.assertEqual(both.server.public_port("site", "home"), port)
        office = self.client(name="office", link=both.ctl.add_client("office"),
                             mappings=[{"name": "site", "tcp": port, "to": second, "group": "site"}]).start()
        office.process.wait_for_line("tunnelctl client set office --groups site")
        self.assertEqual({self.who(port) for _ in range(4)}, {"first"})
        both.ctl("client", "set", "office", "--groups", "site")
        self.assertEqual(both.server.public_port("site", "office"), port)
        load = self.load(port)
        self.assertEqual(load.wait_for(40, 0), {"first", "second"})

        os.killpg(first_nginx.pid, signal.SIGKILL)
        wait_until(lambda: not is_listening(int(first.rsplit(":", 1)[1])), what="the first service is gone")
        self.assertEqual(load.wait_for(60, time.monotonic()), {"second"})
        members = {one["client"]: one for one in both.ctl.mapping("site", "office")["members"]}
        self.assertEqual(members["office"]["state"], "up")
        self.assertEqual(members["home"]["member"], first)

        again = run_nginx(self, SITE.format(folder=self.path("again"), port=first.rsplit(":", 1)[1], name="again"), "again")
        began = time.monotonic()
        wait_until(lambda: "again" in load.answers(began) or not again.alive(), 120, "the first service is tried again")
        self.assertEqual(set(load.answers(began)), {"again", "second"})

        office.process.kill()
        self.assertEqual(load.wait_for(60, time.monotonic()), {"again"})
        load.stop()
        members = {one["client"]: one for one in both.ctl.mapping("site", "home")["members"]}
        self.assertEqual(members["home"]["state"], "up")
        self.assertEqual(members["office"]["state"], "away")
        self.assertIn("its client is not connected", members["office"]["reason"])
        for client in ("home", "office"):
            self.assertEqual(both.ctl.mapping("site", client)["refused_total"], 0)

    def state(self, both, member: str):
        shown = both.server.ctl.mapping("site")
        return next((one["state"], one["reason"]) for one in shown["members"] if one["member"] == member)

    def test_a_service_whose_health_page_fails_is_left_alone_until_it_is_well(self):
        _, first, folder = self.nginx("first")
        _, second, _ = self.nginx("second")
        both = self.tunnel()
        both.client.write_config(mappings=[{"name": "site", "tcp": 0, "to": first, "member": [second], "check": "http",
                                            "check_path": "/health", "check_interval": "100ms", "check_rise": 1, "check_fall": 2}])
        both.client.process.send_signal(signal.SIGHUP)
        port = wait_until(lambda: self.port(both), what="the mapping listens")
        self.assertEqual({self.who(port) for _ in range(4)}, {"first", "second"})

        sick = os.path.join(folder, "sick")
        open(sick, "w").close()
        wait_until(lambda: self.state(both, first)[0] == "down", what="the sick one is down")
        self.assertIn("status 500", self.state(both, first)[1])
        self.assertEqual({self.who(port) for _ in range(6)}, {"second"})
        self.assertIn("1 of 2 up", both.server.ctl("mapping", "list").stdout)

        os.remove(sick)
        wait_until(lambda: self.state(both, first)[0] == "up", what="it is up again")
        self.assertEqual({self.who(port) for _ in range(4)}, {"first", "second"})

    def port(self, both) -> int:
        listed = [entry for entry in both.server.ctl.json("mapping", "list") if entry["name"] == "site"]
        return listed[0]["port"] if listed and listed[0]["state"] == "listening" else 0

    def test_no_request_fails_when_a_service_is_killed_and_the_backup_serves_when_both_are(self):
        first_process, first, _ = self.nginx("first")
        second_process, second, _ = self.nginx("second")
        _, spare, _ = self.nginx("spare")
        both = self.tunnel()
        both.server.ctl("mapping", "add", "site", "--client", "home", "--tcp", "0", "--to", first, "--member", second,
                        "--member", f"{spare},backup", "--balance", "least_connections")
        port = both.server.public_port("site")
        self.assertEqual({self.who(port) for _ in range(6)}, {"first", "second"})
        first_process.stop()
        self.assertEqual({self.who(port) for _ in range(20)}, {"second"})
        self.assertEqual(self.state(both, first)[0], "ejected")
        second_process.stop()
        self.assertEqual({self.who(port) for _ in range(20)}, {"spare"})
        self.assertEqual(both.server.ctl.mapping("site")["refused_total"], 0)

    def test_expose_speaks_the_same_words(self):
        _, first, folder = self.nginx("first")
        _, second, _ = self.nginx("second")
        both = self.tunnel()
        client = self.client(name="exposing", link=both.link)
        _, port = client.expose(first, "--name", "site", "--member", f"{second},weight=3", "--balance", "round_robin", "--weight", "1",
                                "--check", "http", "--check-path", "/health", "--check-status", "204", "--check-interval", "100ms",
                                "--check-timeout", "1s", "--check-rise", "1", "--check-fall", "2")
        self.assertEqual(sorted(self.who(port) for _ in range(8)), ["first"] * 2 + ["second"] * 6)
        open(os.path.join(folder, "sick"), "w").close()
        wait_until(lambda: self.state(both, first)[0] == "down", what="the sick one is down")
        self.assertIn("status 500, 204 is expected", self.state(both, first)[1])
        self.assertEqual({self.who(port) for _ in range(6)}, {"second"})
        refused = client.run("expose", first, "--balance", "least_connections")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("name another service with member", refused.stderr)

    def test_a_drained_member_gets_no_new_visitors(self):
        _, first, _ = self.nginx("first")
        _, second, _ = self.nginx("second")
        both = self.tunnel()
        both.server.ctl("mapping", "add", "site", "--client", "home", "--tcp", "0", "--to", first, "--member", second)
        port = both.server.public_port("site")
        both.server.ctl("mapping", "drain", "site", first)
        self.assertEqual({self.who(port) for _ in range(6)}, {"second"})
        both.server.ctl("mapping", "undrain", "home/site", first)
        self.assertEqual({self.who(port) for _ in range(6)}, {"first", "second"})
        refused = both.server.ctl.run("mapping", "drain", "site", "127.0.0.1:1")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("has no member", refused.stderr)


if __name__ == "__main__":
    main()
