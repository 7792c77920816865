"""What needs a kernel with TLS, run in a guest that has one (guest.py). One boot serves all: it is most of the time."""

import os
import pathlib
import re
import unittest

import guest

BUILD = pathlib.Path(os.environ.get("TUNNEL_BUILD") or guest.ROOT / "build" / "release")
NET_TESTS = BUILD / "tests" / "unit" / "common" / "net"
SCENARIOS = os.environ.get("TUNNEL_GUEST_SCENARIOS") or "64"
DEADLINE = float(os.environ.get("TUNNEL_GUEST_DEADLINE") or 240)

# What the guest runs, in this order; leading NAME=VALUE words are a command's environment. A method below looks at each.
COMMANDS = {
    "kernel_tls": [str(NET_TESTS / "unit_net"), "--gtest_filter=KernelTls*:*/KernelTls*"],
    # The relay's own tests, with the kernel at both ends, at one, or at none, from the first byte on or later.
    "relay": [f"TUNNEL_RELAY_SCENARIOS={SCENARIOS}", str(NET_TESTS / "unit_relay"), "--gtest_filter=Relay*:*/Relay*"],
    # Both programs whole, as `kernel_tls = "auto"` makes them.
    "programs": ["TUNNEL_TEST_KERNEL_TLS=auto", str(BUILD / "tests" / "integration" / "integration_tests"),
                 "--gtest_filter=*BothModes.SmallMessages*:*BothModes.Bulk*:*BothModes.*HalfCloses*:"
                 "*BothModes.ASlowReader*"],
}
# An emulated processor and a sanitizer together are too slow, and too large, for both programs whole.
SANITIZED = os.environ.get("TUNNEL_SANITIZED") == "1"
if SANITIZED:
    del COMMANDS["programs"]


class KernelTlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            results, cls.console = guest.boot(BUILD / "tests" / "kernel_tls" / "guest-init", list(COMMANDS.values()),
                                              DEADLINE)
        except guest.Unavailable as why:
            raise unittest.SkipTest(f"no guest: {why}")
        cls.ended = dict(zip(COMMANDS, results))

    def expect_all_passed(self, name):
        ended = self.ended[name]
        self.assertIsNotNone(ended.status, f"{name} did not end in time; the guest's kernel said:\n{self.console}")
        self.assertEqual(ended.status, 0, f"{name} failed; its output stands above")
        ran = re.search(r"\[==========\] (\d+) tests? from .* ran", ended.output)
        self.assertTrue(ran and int(ran[1]) > 0, f"{name}: the filter chose no test")
        self.assertNotIn("[  SKIPPED ]", ended.output, f"{name}: skipped although the guest has kernel TLS")
        print(f"{name}: {ran[1]} tests in {ended.seconds:.1f} s")

    def test_the_kernel_complains_of_nothing(self):
        self.assertNotRegex(self.console, r"BUG:|WARNING:|Oops|Call Trace|Out of memory|blocked for more than")

    def test_socket(self):
        self.expect_all_passed("kernel_tls")

    @unittest.skipIf(SANITIZED, "not with a sanitizer")
    def test_programs(self):
        self.expect_all_passed("programs")

    def test_relay(self):
        self.expect_all_passed("relay")


if __name__ == "__main__":
    unittest.main(verbosity=2)
