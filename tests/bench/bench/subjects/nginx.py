"""Two nginx stream hops."""

import glob
import os
import re
import subprocess

from bench.subjects.base import PLAIN, Subject, need_tools
from bench.workspace import listens, wait_until

_CONFIG = """
{load_module}
{user}
daemon off;
pid {folder}/{label}.pid;
error_log {folder}/{label}-error.log;
worker_processes {workers};
events {{ worker_connections 4500; }}
stream {{
    server {{
        listen 127.0.0.1:{port}{udp} reuseport;
        proxy_pass 127.0.0.1:{next_port};
        proxy_timeout 1h;
        tcp_nodelay on;
    }}
}}
"""


def _load_module(nginx):
    """The line that loads the stream module; "" when it is built in; None when there is none."""
    built = subprocess.run([nginx, "-V"], capture_output=True, text=True, timeout=10, check=False).stderr
    if re.search(r"--with-stream(\s|$)", built):
        return ""
    folder = re.search(r"--modules-path=(\S+)", built)
    for path in [folder.group(1)] if folder else []:
        for module in glob.glob(f"{path}/ngx_stream_module.so"):
            return f"load_module {module};"
    return None


class NginxStream(Subject):
    name = "nginx"
    title = "2 nginx stream hops"
    kind = PLAIN
    protocols = ("tcp", "udp")

    @classmethod
    def missing(cls, workspace):
        reason = need_tools(workspace, "nginx")
        if reason is None and _load_module(workspace.tool("nginx")) is None:
            reason = "nginx has no stream module (libnginx-mod-stream)"
        return reason

    def launch(self, service_port):
        inner, public = self.workspace.ports.pick(), self.workspace.ports.pick()
        self._hop("inner", inner, service_port)
        self._hop("public", public, inner)
        return public

    def _hop(self, label, port, next_port):
        nginx = self.workspace.tool("nginx")
        config = self.folder / f"{label}.conf"
        config.write_text(_CONFIG.format(
            load_module=_load_module(nginx), user="user root;" if os.geteuid() == 0 else "", folder=self.folder,
            label=label, workers=self.workspace.cores, port=port, next_port=next_port,
            udp=" udp" if self.protocol == "udp" else ""),
            encoding="ascii")
        process = self.spawn(label, [nginx, "-e", self.folder / f"{label}-error.log", "-p", self.folder, "-c",
                                     config])
        if self.protocol == "tcp":
            wait_until(lambda: listens(port), f"the {label} nginx", process=process)
