"""Bulk bytes of a plain mapping are moved by splice(2) at both ends and never enter user space; strace counts."""

import os
import re

from harness import TunnelTest, connect, main, recv_exactly, sanitizer, tool, wait_until

SIZE = 32_000_000
CALLS = "splice,read,write,readv,writev,recvfrom,sendto,recvmsg,sendmsg,sendfile,tee,vmsplice"
# "1234 splice(7, NULL, 9, NULL, 65536, 0x2) = 65536", also as the second half of a call that another thread interrupted.
RESULT = re.compile(r"(?:^|\s)(?:<\.\.\. )?(\w+)(?:\(| resumed).*\)\s+= (\d+)")


class Splice(TunnelTest):
    def trace(self, process, name: str):
        path = self.path(f"{name}.strace")
        strace = self.start([tool("strace"), "-f", "-e", f"trace={CALLS}", "-s", "0", "-o", path, "-p", process.pid], name="strace")
        found = strace.wait_for_line("attached|Operation not permitted|Could not attach")
        if "attached" not in found.string:
            self.skipTest("this machine does not permit ptrace: " + found.string)
        return strace, path

    def count(self, path: str) -> dict[str, int]:
        moved: dict[str, int] = {}
        with open(path) as lines:
            for line in lines:
                found = RESULT.search(line)
                if found:
                    moved[found.group(1)] = moved.get(found.group(1), 0) + int(found.group(2))
        return moved

    def setUp(self):
        super().setUp()
        if sanitizer():
            self.skipTest("a sanitizer's own calls would be counted; the release build shows it")
        block = bytes(range(256)) * 256

        def pour_or_take(peer):
            if recv_exactly(peer, 4) == b"pour":
                for _ in range(SIZE // len(block)):
                    peer.sendall(block)
            else:
                recv_exactly(peer, SIZE)
                peer.sendall(b"ok")
        self.service_port = self.service(pour_or_take).port
        self.both = self.tunnel()

    def bulk(self, port: int, what: bytes):
        visitor = self.owned(connect(port, deadline=120))
        visitor.sendall(what)
        if what == b"pour":
            total = 0
            while piece := visitor.recv(1 << 18):
                total += len(piece)
            self.assertEqual(total, SIZE // 65536 * 65536)
        else:
            block = bytes(1 << 16)
            sent = 0
            while sent < SIZE:
                sent += visitor.send(block[:SIZE - sent])
            self.assertEqual(recv_exactly(visitor, 2), b"ok")
        visitor.close()

    def traced(self, port: int, what: bytes) -> dict[str, dict[str, int]]:
        ends = {"server": self.both.server.process, "client": self.both.client.process}
        traces = {name: self.trace(process, name) for name, process in ends.items()}
        self.bulk(port, what)
        wait_until(lambda: self.both.ctl.json("connection", "list") == [])
        result = {}
        for name, (strace, path) in traces.items():
            strace.stop()
            result[name] = self.count(path)
            os.remove(path)
        return result

    def test_plain_bulk_is_spliced_at_both_ends(self):
        port = self.both.map("plain", self.service_port, encrypt=False)
        for what in (b"pour", b"take"):
            for name, moved in self.traced(port, what).items():
                with self.subTest(direction=what, end=name):
                    print(name, what.decode(), moved, flush=True)
                    user_space = sum(count for call, count in moved.items() if call != "splice")
                    # Each byte is spliced twice: into the pipe and out of it.
                    self.assertGreater(moved.get("splice", 0), 1.9 * SIZE)
                    self.assertLess(user_space, SIZE / 50)

    def test_the_counting_itself_sees_user_space_bytes(self):
        port = self.both.map("encrypted", self.service_port)
        for name, moved in self.traced(port, b"pour").items():
            with self.subTest(end=name):
                user_space = sum(count for call, count in moved.items() if call != "splice")
                self.assertGreater(user_space, 1.9 * SIZE)
                self.assertLess(moved.get("splice", 0), SIZE / 50)


if __name__ == "__main__":
    main()
