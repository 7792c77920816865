"""ssh -R: what most people have at hand. Its own sshd on a loopback port, with keys made for the occasion."""

import os
import pwd
import re
from pathlib import Path

from bench.subjects.base import ENCRYPTED, Subject, need_tools
from bench.workspace import listens, wait_until

_SSHD_CONFIG = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM no
UseDNS no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
AllowTcpForwarding remote
LogLevel ERROR
"""

# sshd of root refuses to start without it.
_SEPARATION_FOLDER = Path("/run/sshd")


class SshRemoteForward(Subject):
    name = "ssh"
    title = "ssh -R"
    kind = ENCRYPTED

    def __init__(self, workspace):
        super().__init__(workspace)
        self._made_folder = False

    @classmethod
    def missing(cls, workspace):
        return need_tools(workspace, "ssh", "sshd", "ssh-keygen")

    def launch(self, service_port):
        if os.geteuid() == 0 and not _SEPARATION_FOLDER.exists():
            _SEPARATION_FOLDER.mkdir(mode=0o755)
            self._made_folder = True
        for name in ("host_key", "user_key"):
            self.workspace.processes.run([self.workspace.tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f",
                                          self.folder / name], timeout=20)
        port = self.workspace.ports.pick()
        config = self.folder / "sshd_config"
        config.write_text(_SSHD_CONFIG.format(port=port, folder=self.folder), encoding="ascii")
        server = self.spawn("sshd", [self.workspace.tool("sshd"), "-D", "-e", "-f", config])
        wait_until(lambda: listens(port), "sshd", process=server)
        client = self.spawn("ssh", [
            self.workspace.tool("ssh"), "-F", "none", "-N", "-p", port, "-i", self.folder / "user_key",
            "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o", "StrictHostKeyChecking=no",
            "-o", "UserKnownHostsFile=/dev/null", "-o", "ExitOnForwardFailure=yes",
            "-R", f"127.0.0.1:0:127.0.0.1:{service_port}", f"{pwd.getpwuid(os.geteuid()).pw_name}@127.0.0.1"])
        return wait_until(self._allocated_port, "ssh -R", process=client)

    def _allocated_port(self):
        text = (self.folder / "ssh.log").read_text(encoding="utf-8", errors="replace")
        found = re.search(r"Allocated port (\d+) for remote forward", text)
        return int(found.group(1)) if found else None

    def stop(self):
        super().stop()
        if self._made_folder:
            _SEPARATION_FOLDER.rmdir()
            self._made_folder = False
