"""rathole over plain TCP and over its Noise transport."""

import re

from bench.failure import Failure
from bench.subjects.base import ENCRYPTED, PLAIN, Subject, need_peers
from bench.workspace import listens, wait_until

_SERVER = """
[server]
bind_addr = "127.0.0.1:{port}"
default_token = "bench"
{transport}
[server.services.bench]
type = "{protocol}"
bind_addr = "127.0.0.1:{public}"
"""

_CLIENT = """
[client]
remote_addr = "127.0.0.1:{port}"
default_token = "bench"
{transport}
[client.services.bench]
type = "{protocol}"
local_addr = "127.0.0.1:{service_port}"
"""

_NOISE = """
[{end}.transport]
type = "noise"
[{end}.transport.noise]
{key}
"""


class Rathole(Subject):
    name = "rathole"
    title = "rathole, tcp"
    kind = PLAIN
    protocols = ("tcp", "udp")

    @classmethod
    def missing(cls, workspace):
        return need_peers(workspace, "rathole")

    def transports(self):
        """The transport sections of the server's and the client's config."""
        return "", ""

    def launch(self, service_port):
        port, public = self.workspace.ports.pick(), self.workspace.ports.pick()
        server_transport, client_transport = self.transports()
        server_config, client_config = self.folder / "server.toml", self.folder / "client.toml"
        server_config.write_text(_SERVER.format(port=port, public=public, transport=server_transport,
                                                protocol=self.protocol),
                                 encoding="ascii")
        client_config.write_text(_CLIENT.format(port=port, service_port=service_port, transport=client_transport,
                                                protocol=self.protocol),
                                 encoding="ascii")
        program = self.workspace.peer("rathole")
        server = self.spawn("server", [program, "--server", server_config])
        wait_until(lambda: listens(port), "the rathole server", process=server)
        client = self.spawn("client", [program, "--client", client_config])
        if self.protocol == "tcp":
            wait_until(lambda: listens(public), "the rathole service", process=client)
        return public


class RatholeNoise(Rathole):
    name = "rathole-noise"
    title = "rathole, noise"
    kind = ENCRYPTED

    def transports(self):
        keys = self.workspace.processes.run([self.workspace.peer("rathole"), "--genkey"], timeout=20)
        found = re.findall(r"[A-Za-z0-9+/]{42,43}=", keys)
        if len(found) != 2:
            raise Failure("rathole --genkey did not print a private and a public key")
        return (_NOISE.format(end="server", key=f'local_private_key = "{found[0]}"'),
                _NOISE.format(end="client", key=f'remote_public_key = "{found[1]}"'))
