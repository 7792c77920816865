"""deploy/quickstart.sh shows the main job on this machine, ends on request and leaves nothing behind."""

import os
import signal

from harness import TunnelTest, is_listening, main, run, tool, wait_until

SOURCE = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
SCRIPT = os.path.join(SOURCE, "deploy", "quickstart.sh")


class Quickstart(TunnelTest):
    def setUp(self):
        super().setUp()
        tool("curl")
        self.env = {"TUNNEL_BUILD": os.environ["TUNNEL_BUILD"], "TMPDIR": self.make_folder("tmp"), "HOME": self.folder}

    def test_once(self):
        done = run(["bash", SCRIPT, "--once", "--no-install"], env=self.env, deadline=90)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        for words in ("tunnel-server init", "tunnel-client join", "Hello from home", "tunnelctl mapping list", "It works"):
            self.assertIn(words, done.stdout)
        self.assertNotIn("\x1b", done.stdout, "no colours where there is no terminal")
        self.assertIn("tunnel://home:SECRET@127.0.0.1:", done.stdout)
        self.assertNotRegex(done.stdout + done.stderr, r"tunnel://home:[A-Za-z0-9_-]{43}@", "the secret is not shown")
        self.assertEqual(os.listdir(self.env["TMPDIR"]), [])

    def test_stays_until_ctrl_c(self):
        script = self.start(["bash", SCRIPT, "--no-install"], env=self.env)
        address = script.wait_for_line(r"page is at http://127\.0\.0\.1:(\d+)/ until", 60, stream="out")
        port = int(address.group(1))
        page = run([tool("curl"), "-sS", "--fail", f"http://127.0.0.1:{port}/"])
        self.assertIn("Hello from home", page.stdout)
        os.killpg(script.pid, signal.SIGINT)  # as a terminal does
        self.assertEqual(script.wait(60), 0, script.report())
        wait_until(lambda: not is_listening(port))
        self.assertEqual(os.listdir(self.env["TMPDIR"]), [])

    def test_says_why_it_failed(self):
        done = run(["bash", SCRIPT, "--once", "--no-install"], env={**self.env, "TUNNEL_BUILD": self.folder})
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "tunnel-server")
        done = run(["bash", SCRIPT, "--twice"], env=self.env)
        self.assertEqual(done.returncode, 2)


if __name__ == "__main__":
    main()
