"""OpenSSH through the tunnel: login, scp both ways, and a keyboard that stays quick while bulk data flows."""

import random
import statistics
import subprocess
import time

from harness import TunnelTest, full_size, main, patience, run, tool, wait_until
from harness.programs import Sshd
from test_http import digest_of, make_file

SIZE = (20 if full_size() else 5) * 1_000_000
KEYS = 40


class Keyboard:
    """A remote terminal in which each typed key comes back."""

    def __init__(self, case, ssh: list[str]):
        # -tt: a terminal although our end is a pipe. Raw and without echo, so that cat itself answers each key.
        self._process = subprocess.Popen(ssh + ["stty raw -echo; echo ready; exec cat"], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0)
        case.addCleanup(self._process.stdout.close)
        case.addCleanup(self._process.stdin.close)
        case.addCleanup(self._process.wait)
        case.addCleanup(self._process.kill)
        seen = b""
        while b"ready" not in seen:
            piece = self._process.stdout.read(64)
            assert piece, "ssh ended before its terminal was ready"
            seen += piece
        while not seen.endswith(b"\n"):
            seen += self._process.stdout.read(1)

    def press(self, key: bytes) -> float:
        """Seconds until the key came back."""
        start = time.monotonic()
        self._process.stdin.write(key)
        answer = self._process.stdout.read(1)
        assert answer == key, (key, answer)
        return time.monotonic() - start


class Ssh(TunnelTest):
    def setUp(self):
        super().setUp()
        self.ssh = tool("ssh")
        self.scp = tool("scp")
        self.sshd = Sshd(self)
        self.both = self.tunnel()
        # SSH is encrypted end to end already, so its mapping is the plain one; the default must do as well.
        self.ports = {"plain": self.both.map("ssh", self.sshd.port, encrypt=False),
                      "encrypted": self.both.map("ssh-twice", self.sshd.port)}

    def each_mode(self):
        for mode, port in self.ports.items():
            with self.subTest(mode=mode):
                yield port

    def test_login_runs_a_command(self):
        for port in self.each_mode():
            done = run([self.ssh, *self.sshd.options(port, "-p"), self.sshd.target(), "echo from-home; id -un; exit 7"])
            self.assertEqual(done.returncode, 7, done.stderr + self.sshd.process.report())
            self.assertEqual(done.stdout.split(), ["from-home", self.sshd.user])

    def test_scp_both_ways(self):
        digest = make_file(self.path("file"), SIZE, random.SystemRandom().randrange(1 << 32))
        for port in self.each_mode():
            remote = self.path(f"remote-{port}")
            back = self.path(f"back-{port}")
            options = self.sshd.options(port, "-P")
            there = run([self.scp, "-q", *options, self.path("file"), f"{self.sshd.target()}:{remote}"], deadline=90)
            self.assertEqual(there.returncode, 0, there.stderr)
            here = run([self.scp, "-q", *options, f"{self.sshd.target()}:{remote}", back], deadline=90)
            self.assertEqual(here.returncode, 0, here.stderr)
            self.assertEqual((digest_of(remote), digest_of(back)), (digest, digest))

    def test_keyboard_stays_quick_beside_bulk_data(self):
        for port in self.each_mode():
            keyboard = Keyboard(self, [self.ssh, "-tt", *self.sshd.options(port, "-p"), self.sshd.target()])
            quiet = [keyboard.press(bytes([97 + number % 26])) for number in range(KEYS)]
            self.assertLess(statistics.median(quiet), 0.1 * patience(), quiet)
            bulk = self.start(["sh", "-c", 'exec "$@" >/dev/null', "sh", self.ssh, *self.sshd.options(port, "-p"),
                               self.sshd.target(), "cat /dev/zero"], name="ssh bulk")
            # Bulk data must really flow before the keys are pressed.
            wait_until(lambda: max(entry["bytes_out"] for entry in self.both.ctl.json("connection", "list")) > 1_000_000,
                       what="bulk data flows")
            busy = [keyboard.press(bytes([97 + number % 26])) for number in range(KEYS)]
            self.assertTrue(bulk.alive())
            bulk.end()
            print(f"keyboard round trip, median ms: quiet {statistics.median(quiet) * 1000:.1f}, "
                  f"beside bulk {statistics.median(busy) * 1000:.1f}", flush=True)
            self.assertLess(statistics.median(busy), 0.1 * patience(), busy)


if __name__ == "__main__":
    main()
