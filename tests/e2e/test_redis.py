"""Small messages and steady streams: redis-cli and redis-benchmark against redis-server, iperf3 both directions."""

import json
import random
import re

from harness import TunnelTest, main, run, tool, wait_until
from harness.programs import start_iperf3, start_redis


class Redis(TunnelTest):
    def setUp(self):
        super().setUp()
        self.cli = tool("redis-cli")
        _, service = start_redis(self)
        both = self.tunnel()
        self.ports = {"encrypted": both.map("redis", service), "plain": both.map("redis-plain", service, encrypt=False)}

    def command(self, port: int, *words, input=None) -> str:
        done = run([self.cli, "-h", "127.0.0.1", "-p", port, *words], input=input)
        self.assertEqual(done.returncode, 0, done.stderr)
        return done.stdout.rstrip("\n")

    def test_commands_and_large_values(self):
        value = random.Random(1).randbytes(1_500_000).hex()
        for mode, port in self.ports.items():
            with self.subTest(mode=mode):
                self.assertEqual(self.command(port, "PING"), "PONG")
                self.assertEqual(self.command(port, "-x", "SET", mode, input=value), "OK")
                self.assertEqual(self.command(port, "GET", mode), value)

    def test_pipelined_commands_keep_their_order(self):
        commands = "".join(f"RPUSH list {number}\n" for number in range(5000))
        for mode, port in self.ports.items():
            with self.subTest(mode=mode):
                self.command(port, "DEL", "list")
                self.assertIn("errors: 0, replies: 5000", self.command(port, "--pipe", input=commands))
                self.assertEqual(self.command(port, "LRANGE", "list", "0", "-1").split(), [str(n) for n in range(5000)])

    def test_benchmark(self):
        for mode, port in self.ports.items():
            with self.subTest(mode=mode):
                done = run([tool("redis-benchmark"), "-h", "127.0.0.1", "-p", port, "-c", "32", "-n", "5000", "-q", "--csv",
                            "-t", "set,get"], deadline=90)
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertRegex(done.stdout, r'"GET","[1-9]')


class Iperf(TunnelTest):
    def test_both_directions(self):
        tool("iperf3")
        _, service = start_iperf3(self)
        both = self.tunnel()
        for encrypt in (True, False):
            port = both.map(f"iperf-{encrypt}", service, encrypt=encrypt)
            for direction in ([], ["--reverse"]):
                with self.subTest(encrypt=encrypt, direction=direction):
                    end = wait_until(lambda: self.measure(port, direction), 60, "iperf3 at both ends")
                    self.assertGreater(end["sum_received"]["bytes"], 5_000_000)

    @staticmethod
    def measure(port, direction):
        """A second of it; None while iperf3's server, which turns away the next client, still ends the test before."""
        done = run([tool("iperf3"), "--client", "127.0.0.1", "--port", port, "--time", "1", "--parallel", "4", "--json",
                    *direction], deadline=60)
        result = json.loads(done.stdout)
        if re.search("server is busy|unable to receive control message", result.get("error", "")):
            return None
        if done.returncode != 0:
            raise RuntimeError(done.stdout)
        return result["end"]


if __name__ == "__main__":
    main()
