"""Our tunnel: one server, one client, one mapping, through the same doors a user has."""

import json
import random
import re
import urllib.parse

from bench import procfs
from bench.failure import Failure
from bench.subjects.base import DATAGRAMS, ENCRYPTED, PLAIN, Subject
from bench.workspace import wait_until

PROGRAMS = ("tunnel-server", "tunnel-client", "tunnelctl")


def with_keys(text, values):
    """The TOML text with these top-level keys set, instead of what it says about them so far."""
    table = re.search(r"(?m)^\[", text)
    top, rest = (text[:table.start()], text[table.start():]) if table else (text, "")
    for key, value in values.items():
        # A value is the rest of the line, or an array up to the line that closes it.
        top = re.sub(rf"(?m)^{re.escape(key)}\s*=\s*(\[[^\]]*\].*|.*)\n?", "", top)
    return "".join(f"{key} = {value}\n" for key, value in values.items()) + top + rest


def absent_from(folder):
    """None, or which of our programs the folder lacks."""
    absent = [name for name in PROGRAMS if not (folder / name).exists()]
    return f"{' and '.join(absent)} not in {folder}" if absent else None


class Tunnel(Subject):
    name = "tunnel"
    title = "tunnel, encrypt = false"
    kind = PLAIN
    encrypt = False
    more = ""  # keys of the mapping

    @classmethod
    def missing(cls, workspace):
        return absent_from(workspace.own_bin)

    def launch(self, service_port):
        server_folder, client_folder = self.folder / "server", self.folder / "client"
        self._run("tunnel-server", "init", "--dir", server_folder, "--public-host", "127.0.0.1")
        config = server_folder / "server.toml"
        config.write_text(with_keys(config.read_text(encoding="utf-8"),
                                    {"listen": '["127.0.0.1:0"]', "bind": '["127.0.0.1"]'}), encoding="utf-8")
        self.set_up(server_folder)
        server = self.spawn("server", [self._program("tunnel-server"), "run", "--dir", server_folder])
        listen = wait_until(self._listen_address, "the tunnel server", process=server)
        link = self._run("tunnelctl", "--dir", server_folder, "client", "add", "bench").strip()
        self._run("tunnel-client", "join", "--dir", client_folder, stdin=with_port(link, self.way_to(listen)) + "\n")
        with open(client_folder / "client.toml", "a", encoding="utf-8") as file:
            file.write(f'\n[[mapping]]\nname = "bench"\n{self.protocol} = 0\n{self.more}'
                       f'to = "127.0.0.1:{service_port}"\nencrypt = {str(self.encrypt).lower()}\n')
        client = self.spawn("client", [self._program("tunnel-client"), "run", "--dir", client_folder])
        return wait_until(self._public_port, "the mapping", process=client)

    def set_up(self, server_folder):
        """What else the server needs before it starts."""

    def way_to(self, listen):
        """The address that the client dials; `listen` is the server's."""
        return listen

    def _bin(self):
        """The folder with the programs."""
        return self.workspace.own_bin

    def _program(self, name):
        return self._bin() / name

    def _run(self, name, *words, stdin=None):
        return self.workspace.processes.run([self._program(name), *words], timeout=20, stdin=stdin)

    def _ask(self, *words):
        """What tunnelctl prints as JSON, or None as long as the server does not answer."""
        try:
            return json.loads(self._run("tunnelctl", "--dir", self.folder / "server", "--json", *words))
        except Failure:
            return None

    def _listen_address(self):
        status = self._ask("status")
        return status["listen"][0] if status and status.get("listen") else None

    def _public_port(self):
        for mapping in self._ask("mapping", "list") or []:
            if mapping.get("name") == "bench" and mapping.get("state") == "listening":
                return int(mapping["port"])
        return None


class TunnelEncrypted(Tunnel):
    name = "tunnel-encrypted"
    title = "tunnel, encrypt = true"
    kind = ENCRYPTED
    encrypt = True


class TunnelStream(Tunnel):
    name = "tunnel-stream"
    title = "tunnel, datagrams by stream, encrypt = false"
    kind = DATAGRAMS
    protocols = ("udp",)
    more = 'transport = "stream"\n'


class TunnelStreamEncrypted(TunnelStream):
    name = "tunnel-stream-encrypted"
    title = "tunnel, datagrams by stream, encrypt = true"
    encrypt = True


class TunnelDatagram(TunnelStream):
    name = "tunnel-datagram"
    title = "tunnel, datagrams as datagrams, which are always encrypted"
    encrypt = True
    more = 'transport = "datagram"\n'


class TunnelProxied(TunnelDatagram):
    """Between the ends a proxy that loses some packets, or none. It is no part of the tunnel: its CPU is not counted."""

    name = "tunnel-datagram-proxied"
    title = "tunnel, datagrams as datagrams, through a proxy of the bench"
    aside = True
    lost_of_1000 = 0

    def __init__(self, workspace):
        super().__init__(workspace)
        self._proxy = None

    def way_to(self, listen):
        self._proxy, port = self.workspace.serve("proxy", "lossy", "--target", listen, "--loss", self.lost_of_1000)
        return f"127.0.0.1:{port}"

    def stop(self):
        super().stop()
        if self._proxy:
            self.workspace.processes.stop(self._proxy)
        self._proxy = None


class TunnelLossy(TunnelProxied):
    name = "tunnel-datagram-lossy"
    title = "the same, and the proxy loses 10 % of the packets in each direction"
    lost_of_1000 = 100


class TunnelLists(Tunnel):
    """Beside `tunnel`: what a visitor costs when it is looked up among 100,000 networks."""

    name = "tunnel-lists"
    title = "tunnel, encrypt = false, 100,000 list entries"
    aside = True
    more = 'deny = ["list:bench"]\n'
    entries = 100_000

    def set_up(self, server_folder):
        # Addresses and networks all over the place, among them much of the visitors' 127.0.0.0/8; the same in every run.
        draw = random.Random(7)
        with open(server_folder / "bench.list", "w", encoding="utf-8") as file:
            for number in range(self.entries):
                bytes_ = [127 if number % 4 == 0 else draw.randrange(1, 224), draw.randrange(1, 256)]
                bytes_ += [draw.randrange(256), draw.randrange(256)]
                file.write(".".join(map(str, bytes_)) + f"/{draw.choice((24, 28, 32))}\n")
        with open(server_folder / "server.toml", "a", encoding="utf-8") as file:
            file.write('\n[[list]]\nname = "bench"\nfile = "bench.list"\n')


class TunnelLimited(Tunnel):
    """Beside `tunnel`: what bandwidths cost that are never reached."""

    name = "tunnel-limited"
    title = "tunnel, encrypt = false, bandwidths above the line rate"
    aside = True
    more = 'bandwidth_in = "800Gbit"\nbandwidth_out = "800Gbit"\n'


class TunnelEncryptedLists(TunnelLists):
    name = "tunnel-encrypted-lists"
    title = "tunnel, encrypt = true, 100,000 list entries"
    kind = ENCRYPTED
    encrypt = True


class TunnelEncryptedLimited(TunnelLimited):
    name = "tunnel-encrypted-limited"
    title = "tunnel, encrypt = true, bandwidths above the line rate"
    kind = ENCRYPTED
    encrypt = True


class OnIoUring:
    """The same tunnel by the programs of another build: Asio on io_uring instead of epoll."""

    @classmethod
    def missing(cls, workspace):
        if not workspace.io_uring_bin:
            return "needs --io-uring-bin DIR, a folder with our programs built with -DTUNNEL_IO_URING=ON"
        return absent_from(workspace.io_uring_bin)

    def launch(self, service_port):
        port = super().launch(service_port)
        for pid in self.pids():
            if not procfs.has_io_uring(pid):
                raise Failure(f"{procfs.program(pid)} does not use io_uring: was it built with -DTUNNEL_IO_URING=ON?")
        return port

    def _bin(self):
        return self.workspace.io_uring_bin


class TunnelIoUring(OnIoUring, Tunnel):
    name = "tunnel-io-uring"
    title = "tunnel on io_uring, encrypt = false"


class TunnelEncryptedIoUring(OnIoUring, TunnelEncrypted):
    name = "tunnel-encrypted-io-uring"
    title = "tunnel on io_uring, encrypt = true"


def with_port(link, listen):
    """The join link with the port that the server really has: the config asked for any free one."""
    port = listen.rsplit(":", 1)[1]
    parts = urllib.parse.urlsplit(link)
    login, _, place = parts.netloc.rpartition("@")
    host = place if place.endswith("]") or ":" not in place else place.rsplit(":", 1)[0]
    return urllib.parse.urlunsplit(parts._replace(netloc=f"{login}@{host}:{port}"))
