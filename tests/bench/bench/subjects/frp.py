"""frp, both as it comes (TLS, one multiplexed connection) and with TLS switched off."""

from bench.subjects.base import ENCRYPTED, PLAIN, Subject, need_peers
from bench.workspace import listens, wait_until

_SERVER = """
bindAddr = "127.0.0.1"
bindPort = {port}
proxyBindAddr = "127.0.0.1"
auth.token = "bench"
log.level = "warn"
log.disablePrintColor = true
"""

_CLIENT = """
serverAddr = "127.0.0.1"
serverPort = {port}
auth.token = "bench"
log.level = "warn"
log.disablePrintColor = true
transport.tls.enable = {tls}

[[proxies]]
name = "bench"
type = "{protocol}"
localIP = "127.0.0.1"
localPort = {service_port}
remotePort = {public}
"""


class Frp(Subject):
    name = "frp"
    title = "frp, its defaults (TLS, mux)"
    kind = ENCRYPTED
    protocols = ("tcp", "udp")
    tls = "true"

    @classmethod
    def missing(cls, workspace):
        return need_peers(workspace, "frps", "frpc")

    def launch(self, service_port):
        port, public = self.workspace.ports.pick(), self.workspace.ports.pick()
        server_config, client_config = self.folder / "frps.toml", self.folder / "frpc.toml"
        server_config.write_text(_SERVER.format(port=port), encoding="ascii")
        client_config.write_text(_CLIENT.format(port=port, tls=self.tls, service_port=service_port, public=public,
                                                protocol=self.protocol),
                                 encoding="ascii")
        server = self.spawn("frps", [self.workspace.peer("frps"), "-c", server_config])
        wait_until(lambda: listens(port), "frps", process=server)
        client = self.spawn("frpc", [self.workspace.peer("frpc"), "-c", client_config])
        if self.protocol == "tcp":
            wait_until(lambda: listens(public), "frpc's proxy", process=client)
        return public


class FrpPlain(Frp):
    name = "frp-plain"
    title = "frp without TLS"
    kind = PLAIN
    tls = "false"
