"""Two HAProxy hops, the reference: the same two relays as a tunnel has, by the fastest relay there is."""

from bench.subjects.base import ENCRYPTED, PLAIN, Subject, need_tools
from bench.workspace import listens, wait_until

_CONFIG = """
global
    nbthread {threads}
    maxconn 4500
defaults
    mode tcp
    {splice}
    timeout connect 10s
    timeout client 1h
    timeout server 1h
listen hop
    bind 127.0.0.1:{port}{bind_options}
    server next 127.0.0.1:{next_port}{server_options}
"""


class HaProxy(Subject):
    name = "haproxy"
    title = "2 HAProxy hops"
    kind = PLAIN
    splice = "option splice-auto"
    bind_options = ""
    server_options = ""

    @classmethod
    def missing(cls, workspace):
        return need_tools(workspace, "haproxy")

    def launch(self, service_port):
        inner, public = self.workspace.ports.pick(), self.workspace.ports.pick()
        self._hop("inner", inner, service_port, self.bind_options, "")
        self._hop("public", public, inner, "", self.server_options)
        return public

    def _hop(self, label, port, next_port, bind_options, server_options):
        config = self.folder / f"{label}.cfg"
        config.write_text(_CONFIG.format(threads=self.workspace.cores, splice=self.splice, port=port,
                                         next_port=next_port,
                                         bind_options=bind_options, server_options=server_options),
                          encoding="ascii")
        process = self.spawn(label, [self.workspace.tool("haproxy"), "-db", "-f", config])
        wait_until(lambda: listens(port), f"the {label} HAProxy", process=process)


class HaProxySplice(HaProxy):
    """splice-auto splices only what HAProxy's heuristic takes for a fast stream; this one always does."""

    name = "haproxy-splice"
    title = "2 HAProxy hops, always splice"
    splice = "option splice-request\n    option splice-response"


class HaProxyTls(HaProxy):
    """The cipher is the tunnel's own: AES-256, OpenSSL's first choice, would cost the reference more for no fault."""

    name = "haproxy-tls"
    title = "2 HAProxy hops, TLS between"
    kind = ENCRYPTED
    server_options = " ssl verify none"

    @classmethod
    def missing(cls, workspace):
        return need_tools(workspace, "haproxy", "openssl")

    def launch(self, service_port):
        certificate, key = self.folder / "cert.pem", self.folder / "key.pem"
        self.workspace.processes.run(
            [self.workspace.tool("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=bench", "-keyout", key, "-out", certificate], timeout=20)
        both = self.folder / "both.pem"
        both.write_text(certificate.read_text(encoding="ascii") + key.read_text(encoding="ascii"), encoding="ascii")
        self.bind_options = f" ssl crt {both} ssl-min-ver TLSv1.3 ciphersuites TLS_AES_128_GCM_SHA256"
        return super().launch(service_port)
