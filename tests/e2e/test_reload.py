"""SIGHUP at either end applies what changed and only that; SIGTERM lets running visitors finish."""

import signal
import socket
import threading

from harness import TunnelTest, connect, connection_outcome, echo, free_port, main, recv_exactly, recv_to_end, refuses
from harness import wait_until


class Reload(TunnelTest):
    def setUp(self):
        super().setUp()
        self.echo = self.service(echo)
        self.other = self.service(lambda peer: peer.sendall(b"the other service"))
        self.stays, self.goes, self.comes = free_port(), free_port(), free_port()
        self.mappings = [{"name": "stays", "tcp": self.stays, "to": self.echo.address},
                         {"name": "goes", "tcp": self.goes, "to": self.echo.address}]
        self.both = self.tunnel(mappings=self.mappings)
        self.host, self.client = self.both.server, self.both.client
        for name in ("stays", "goes"):
            self.host.public_port(name)

    def talk(self, visitor, words=b"hello"):
        visitor.sendall(words)
        self.assertEqual(recv_exactly(visitor, len(words)), words)

    def reload(self, end, outcome="config reloaded"):
        mark = end.process.mark()
        end.process.send_signal(signal.SIGHUP)
        return end.process.wait_for_line(outcome + ".*", start=mark).string

    def test_client_adds_removes_and_changes_mappings(self):
        running = self.owned(connect(self.stays))
        self.talk(running)
        leaving = self.owned(connect(self.goes))
        self.talk(leaving)
        session = self.both.ctl.json("session", "list")[0]
        self.client.write_config(mappings=[self.mappings[0], {"name": "comes", "tcp": self.comes, "to": self.echo.address}])
        self.reload(self.client)
        self.assertEqual(self.host.public_port("comes"), self.comes)
        with connect(self.comes) as visitor:
            self.talk(visitor)
        wait_until(lambda: refuses(self.goes), what="the removed mapping's port closed")
        self.talk(running, b"nothing happened to me")
        self.assertEqual(self.both.ctl.json("session", "list")[0]["since"], session["since"])

        self.client.write_config(mappings=[self.mappings[0], {"name": "comes", "tcp": self.comes, "to": self.other.address,
                                                              "encrypt": False}])
        self.reload(self.client)

        def changed():
            with connect(self.comes) as visitor:
                return visitor.recv(100) == b"the other service"
        wait_until(changed, what="the changed mapping reaches the other service")
        self.assertFalse(self.both.ctl.mapping("comes")["encrypt"])
        self.talk(running, b"nor now")

    def test_client_moves_a_mapping_to_another_port(self):
        self.client.write_config(mappings=[{**self.mappings[0], "tcp": self.comes}, self.mappings[1]])
        self.reload(self.client)
        wait_until(lambda: self.both.ctl.mapping("stays")["port"] == self.comes and refuses(self.stays))
        with connect(self.comes) as visitor:
            self.talk(visitor)

    def test_bad_client_config_changes_nothing_and_says_why(self):
        running = self.owned(connect(self.stays))
        self.talk(running)
        with open(self.client.config, "a") as config:
            config.write('[[mapping]]\nname = "new"\ntcp = 99999\n')
        line = self.reload(self.client, "config reload refused")
        self.assertRegex(line + self.client.process.err.text(), r"client\.toml:\d+:\d+")
        self.talk(running)
        with connect(self.goes) as visitor:
            self.talk(visitor)
        self.assertEqual({entry["name"] for entry in self.both.ctl.json("mapping", "list")}, {"stays", "goes"})

    def test_server_applies_what_changed(self):
        running = self.owned(connect(self.stays))
        self.talk(running)
        self.host.write_config(public_host="tunnel.example.com", allow_ports=[str(self.stays)])
        self.reload(self.host)
        wait_until(lambda: self.both.ctl.mapping("stays")["public_address"] == f"tunnel.example.com:{self.stays}")
        wait_until(lambda: self.both.ctl.mapping("goes")["state"] == "refused", what="a port that is no longer allowed")
        self.talk(running, b"nothing happened to me")
        self.host.write_config(allow_ports=["1024-65535"])
        self.reload(self.host)
        self.assertEqual(self.host.public_port("goes"), self.goes)
        self.talk(running, b"nor now")

    def test_bad_server_config_changes_nothing_and_says_why(self):
        running = self.owned(connect(self.stays))
        self.talk(running)
        with open(self.host.config, "a") as config:
            config.write("\ncolour = 3\n")
        line = self.reload(self.host, "config reload refused")
        self.assertRegex(line + self.host.process.err.text(), r"server\.toml:\d+:\d+")
        self.talk(running)
        self.assertEqual(self.both.ctl.json("status")["public_host"], "127.0.0.1")
        with connect(self.goes) as visitor:
            self.talk(visitor)

    def test_log_level_changes_at_once(self):
        mark = self.host.process.mark()
        self.host.write_config(log={"level": "error", "format": "text"}, public_host="quiet.example.com")
        self.host.process.send_signal(signal.SIGHUP)
        wait_until(lambda: self.both.ctl.json("status")["public_host"] == "quiet.example.com", what="the reload")
        with connect(self.stays) as visitor:
            self.talk(visitor)
        self.host.write_config(log={"level": "info", "format": "json"})
        self.reload(self.host, "config reloaded")
        with connect(self.stays) as visitor:
            self.talk(visitor)
        self.host.process.wait_for_line(r'"event":"visitor closed"', start=mark)
        self.assertNotRegex(self.host.process.err.text(mark), r"info +visitor closed", "said at level error")


class Drain(TunnelTest):
    """What SIGTERM does at each end while a download runs."""

    def begin(self, drain: str):
        self.go_on = threading.Event()
        self.addCleanup(self.go_on.set)

        def download(peer):
            peer.sendall(b"first half ")
            self.go_on.wait(60)
            peer.sendall(b"second half")
        service = self.service(download)
        self.both = self.tunnel(server={"drain": drain}, client={"drain": drain})
        self.port = self.both.map("download", service.port)
        self.visitor = self.owned(connect(self.port))
        self.assertEqual(recv_exactly(self.visitor, 11), b"first half ")

    def finishes(self, end, meanwhile=lambda: None):
        end.process.send_signal(signal.SIGTERM)
        end.process.wait_for_line("draining")
        meanwhile()
        self.assertTrue(end.process.alive())
        self.go_on.set()
        self.assertEqual(recv_to_end(self.visitor), b"second half")
        self.visitor.close()
        self.assertEqual(end.process.wait(), 0)
        self.assertIn("drained", end.process.err.text())

    def test_server_lets_a_download_finish(self):
        self.begin("60s")
        self.finishes(self.both.server, lambda: wait_until(lambda: refuses(self.port), what="no new visitors"))
        self.assertTrue(self.both.client.process.alive())

    def test_client_lets_a_download_finish(self):
        self.begin("60s")
        self.finishes(self.both.client)
        self.assertTrue(self.both.server.process.alive())

    def test_deadline_ends_what_does_not_finish(self):
        self.begin("1s")
        self.assertEqual(self.both.server.stop(), 0)
        self.assertEqual(connection_outcome(self.visitor)[0], "reset")

    def second_signal(self, end):
        end.process.send_signal(signal.SIGTERM)
        end.process.wait_for_line("draining")
        end.process.send_signal(signal.SIGINT)
        end.process.wait(10)
        self.assertEqual(connection_outcome(self.visitor)[0], "reset")

    def test_second_signal_ends_the_server_now(self):
        self.begin("300s")
        self.second_signal(self.both.server)

    def test_second_signal_ends_the_client_now(self):
        self.begin("300s")
        self.second_signal(self.both.client)

    def test_without_visitors_it_ends_at_once(self):
        both = self.tunnel(server={"drain": "60s"}, client={"drain": "60s"})
        self.assertEqual(both.client.stop(5), 0)
        self.assertEqual(both.server.stop(5), 0)

    def test_upload_through_a_draining_server_is_whole(self):
        received = []

        def take(peer):
            received.append(recv_to_end(peer))
            peer.sendall(b"done")
        service = self.service(take)
        both = self.tunnel(server={"drain": "60s"})
        port = both.map("upload", service.port, encrypt=False)
        visitor = self.owned(connect(port))
        visitor.sendall(b"x" * 1_000_000)
        wait_until(lambda: both.ctl.json("connection", "list"), what="the upload runs")
        both.server.process.send_signal(signal.SIGTERM)
        both.server.process.wait_for_line("draining")
        visitor.sendall(b"y" * 1_000_000)
        visitor.shutdown(socket.SHUT_WR)
        self.assertEqual(recv_to_end(visitor), b"done")
        visitor.close()
        self.assertEqual(received, [b"x" * 1_000_000 + b"y" * 1_000_000])
        self.assertEqual(both.server.process.wait(), 0)


if __name__ == "__main__":
    main()
