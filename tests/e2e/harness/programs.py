"""Ready-made services from the distribution, each in a temporary folder of the test."""

import os
import pwd
import socket

from .net import free_port, is_listening
from .process import run
from .system import is_root, tool
from .waiting import wait_until

NGINX = """
{user}
daemon off;
worker_processes 2;
pid {folder}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  sendfile on;
  {servers}
}}
"""

NGINX_FOLDER = """server {{
    listen 127.0.0.1:{port};
    root {root};
    client_max_body_size 1g;
    location / {{ dav_methods PUT; }}
  }}"""

SSHD = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/user_key.pub
StrictModes no
UsePAM {pam}
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
PrintLastLog no
Subsystem sftp internal-sftp
"""


def run_nginx(case, servers: str, name: str = "nginx"):
    """nginx with these server blocks, once it runs; its folder in that of the test is called `name`."""
    nginx, folder = tool("nginx"), case.make_folder(name)
    config = case.write(f"{name}/nginx.conf", NGINX.format(folder=folder, servers=servers,
                                                           user="user root;" if is_root() else ""))
    process = case.start([nginx, "-p", folder, "-c", config], name=name)
    wait_until(lambda: os.path.exists(f"{folder}/nginx.pid") or not process.alive(), what=f"{name} runs")
    assert process.alive(), process.report()
    return process


def start_nginx(case, root: str):
    """nginx that serves the folder `root` and takes PUT into it; returns (process, port)."""
    port = free_port()
    process = run_nginx(case, NGINX_FOLDER.format(port=port, root=root))
    wait_until(lambda: is_listening(port) or not process.alive(), what="nginx listens")
    assert process.alive(), process.report()
    return process, port


def _password_is_locked() -> bool:
    try:
        with open("/etc/shadow") as shadow:
            name = pwd.getpwuid(os.getuid()).pw_name
            return any(line.split(":")[0] == name and line.split(":")[1].startswith("!") for line in shadow)
    except PermissionError:
        return False


class Sshd:
    """OpenSSH's server with keys of its own; logs in the user who runs the tests."""

    def __init__(self, case):
        sshd = tool("sshd")
        self.folder = case.make_folder("sshd")
        self.user = pwd.getpwuid(os.getuid()).pw_name
        for key in ("host_key", "user_key"):
            done = run([tool("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{key}"])
            assert done.returncode == 0, done.stderr
        if is_root():
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)
        self.port = free_port()
        # sshd refuses an account with a locked password unless PAM decides.
        config = case.write("sshd/sshd_config", SSHD.format(
            folder=self.folder, port=self.port, pam="yes" if is_root() and _password_is_locked() else "no"))
        self.process = case.start([sshd, "-D", "-e", "-f", config], name="sshd")
        self.process.wait_for_line("Server listening")

    def options(self, port: int, port_flag: str) -> list[str]:
        """Options of ssh ("-p") or scp ("-P") that reach this sshd by `port` and take nothing from the machine's set-up."""
        settings = ("BatchMode=yes", "StrictHostKeyChecking=no", f"UserKnownHostsFile={self.folder}/known_hosts",
                    "GlobalKnownHostsFile=/dev/null", "IdentitiesOnly=yes", "LogLevel=ERROR", "ControlMaster=no")
        return ["-F", "/dev/null", "-i", f"{self.folder}/user_key", port_flag, str(port)] + \
            [part for setting in settings for part in ("-o", setting)]

    def target(self) -> str:
        return f"{self.user}@127.0.0.1"


TINYPROXY = """
Port {port}
Listen 127.0.0.1
Timeout 600
MaxClients 200
LogLevel Connect
{more}
"""


def start_tinyproxy(case, more: str = "", port: int | None = None):
    """tinyproxy, which does CONNECT; `more` are lines of its config; returns (process, port)."""
    port = port or free_port()
    config = case.write(f"tinyproxy-{port}.conf", TINYPROXY.format(port=port, more=more))
    process = case.start([tool("tinyproxy"), "-d", "-c", config])
    wait_until(lambda: is_listening(port) or not process.alive(), what="tinyproxy listens")
    return process, port


def start_microsocks(case, *login: str, port: int | None = None):
    """microsocks, a SOCKS5 proxy; with a user and password where given; returns (process, port)."""
    port = port or free_port()
    options = ["-u", login[0], "-P", login[1]] if login else []
    process = case.start([tool("microsocks"), "-i", "127.0.0.1", "-p", port, *options])
    wait_until(lambda: is_listening(port) or not process.alive(), what="microsocks listens")
    return process, port


def start_redis(case):
    """redis-server without persistence; returns (process, port)."""
    port, folder = free_port(), case.make_folder("redis")
    process = case.start([tool("redis-server"), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                          "--dir", folder, "--daemonize", "no"])
    process.wait_for_line("Ready to accept connections", stream="out")
    return process, port


def start_iperf3(case):
    """iperf3 as a server; returns (process, port)."""
    port = free_port()
    process = case.start([tool("iperf3"), "--server", "--bind", "127.0.0.1", "--port", port])
    wait_until(lambda: is_listening(port), what="iperf3 listens")
    return process, port


def reset_on_close(peer: socket.socket) -> None:
    """Makes the next close() of the socket a reset."""
    import struct
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
