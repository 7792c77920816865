"""A thousand visitors at once, each with its own bytes; both ends as an ordinary user."""

import asyncio
import os
import resource
import threading

from harness import TunnelTest, main, ordinary_user, patience, wait_until

VISITORS = 1000


def message(number: int) -> bytes:
    return b"visitor %06d " % number + bytes([number % 251]) * 4096


class EchoLoop:
    """An echo service for many connections, on a thread of its own."""

    def __init__(self, backlog: int):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=backlog), self._loop).result(20)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader, writer):
        try:
            while piece := await reader.read(1 << 16):
                writer.write(piece)
                await writer.drain()
        except ConnectionError:
            pass
        finally:
            writer.close()

    def close(self):
        async def end():
            self._server.close()
            tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        asyncio.run_coroutine_threadsafe(end(), self._loop).result(20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Load(TunnelTest):
    def setUp(self):
        super().setUp()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        needed = 3 * VISITORS
        if hard != resource.RLIM_INFINITY and hard < needed:
            self.skipTest(f"{VISITORS} visitors need {needed} descriptors; the limit is {hard} (ulimit -Hn)")
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, needed), hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        self.echo = EchoLoop(backlog=4096)
        self.addCleanup(self.echo.close)
        # A user's io_urings count against the limit of locked memory, which those of both programs exceed.
        on_io_uring = os.environ.get("TUNNEL_IO_URING") == "1"
        self.both = self.tunnel(user=None if on_io_uring else ordinary_user())

    def visit_all(self, port: int) -> None:
        async def visitors():
            all_are_in = asyncio.Barrier(VISITORS)

            async def one(number: int):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"?")
                assert await reader.readexactly(1) == b"?"
                await all_are_in.wait()  # nobody leaves before everybody was served
                sent = message(number)
                writer.write(sent)
                writer.write_eof()
                received = await reader.read(-1)
                writer.close()
                return received == sent
            return await asyncio.wait_for(asyncio.gather(*(one(number) for number in range(VISITORS))), 60 * patience())
        results = asyncio.run(visitors())
        self.assertEqual(results.count(True), VISITORS)

    def round(self, encrypt: bool) -> None:
        port = self.both.map("echo", self.echo.port, encrypt=encrypt)
        for _ in range(2):
            self.visit_all(port)
        wait_until(lambda: self.both.ctl.mapping("echo")["visitors"] == 0, what="all visitors left")
        shown = self.both.ctl.mapping("echo")
        self.assertEqual(shown["visitors_total"], 2 * VISITORS)
        self.assertEqual((shown["bytes_in"], shown["bytes_out"]), (2 * VISITORS * (1 + len(message(0))),) * 2)
        self.assertEqual(shown["refused_total"], 0)

    def test_encrypted(self):
        self.round(encrypt=True)

    def test_plain(self):
        self.round(encrypt=False)


if __name__ == "__main__":
    main()
