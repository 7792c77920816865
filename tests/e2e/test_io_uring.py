"""Where io_uring(7) is forbidden: the usual build does without, and a build that stands on it says what to do."""

import os
import sys
import unittest

from harness import TunnelTest, connect, echo, is_root, main, run, tool, tunnel_binary

HERE = os.path.dirname(os.path.abspath(__file__))
STANDS_ON_IO_URING = os.environ.get("TUNNEL_IO_URING") == "1"
ALLOWED = os.path.join(HERE, "..", "io_uring_allowed.py")
FORBIDDEN = [sys.executable, "-B", os.path.join(HERE, "harness", "without_io_uring.py")]


class WithoutIoUring(TunnelTest):
    def command(self, program: str, *arguments):
        return [*FORBIDDEN, tunnel_binary(program), *arguments]

    @unittest.skipIf(STANDS_ON_IO_URING, "this build stands on io_uring")
    def test_the_usual_build_does_without(self):
        host = self.server()
        host.process = self.start(self.command("tunnel-server", "run", "--dir", host.folder))
        host.process.wait_for_line("server ready")
        client = self.client(link=host.ctl.add_client("home"))
        self.start(self.command("tunnel-client", "run", "--dir", client.folder)).wait_for_line("client ready")
        service = self.service(echo)
        host.ctl("mapping", "add", "echo", "--client", "home", "--to", f"127.0.0.1:{service.port}")
        visitor = self.owned(connect(host.public_port("echo")))
        visitor.sendall(b"hello")
        self.assertEqual(visitor.recv(5), b"hello")

    @unittest.skipUnless(STANDS_ON_IO_URING, "this build stands on epoll")
    def test_a_build_that_stands_on_it_says_what_to_do(self):
        both, idle = self.tunnel(), self.server(name="idle")
        for program, verb, *arguments in (("tunnel-server", "run"), ("tunnel-client", "run"),
                                          ("tunnel-client", "expose", "22"), ("tunnel-client", "join", both.link)):
            folder = idle.folder if program == "tunnel-server" else both.client.folder
            with self.subTest(program=program, verb=verb):
                done = run(self.command(program, verb, *arguments, "--dir", folder))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertRegex(done.stderr, f"^{program}: cannot make an event loop .Operation not permitted.: .*io_uring")
                self.assertNotIn("terminate", done.stderr)

    @unittest.skipUnless(STANDS_ON_IO_URING, "this build stands on epoll")
    def test_a_user_without_locked_memory_is_told_so(self):
        user = "nobody" if is_root() else None
        limited = [tool("prlimit"), "--memlock=65536:65536", "--"]
        if run([*limited, sys.executable, "-B", ALLOWED], user=user).returncode == 0:
            self.skipTest("this kernel counts no io_uring against the limit of locked memory")
        host = self.server(user=user)
        done = run([*limited, tunnel_binary("tunnel-server", user), "run", "--dir", host.folder], user=user)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("LimitMEMLOCK", done.stderr)
        self.assertNotIn("terminate", done.stderr)


if __name__ == "__main__":
    main()
