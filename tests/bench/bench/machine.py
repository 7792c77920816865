"""What the numbers depend on: the machine, the build, the versions."""

import os
import platform
import re
import subprocess


def facts(workspace):
    lines = {
        "kernel": platform.release(),
        "cpu": f"{_cpu_model()}, {workspace.cores} cores",
        "load average": f"{os.getloadavg()[0]:.2f} at the start",
        "build": _build_type(workspace.build),
    }
    server = workspace.own_bin / "tunnel-server"
    if server.exists():
        lines["tunnel"] = _version([server, "version"])
    for name, argv in {"haproxy": ["-v"], "nginx": ["-v"], "ssh": ["-V"], "curl": ["--version"]}.items():
        path = workspace.tool(name)
        if path:
            lines[name] = _version([path, *argv])
    return lines


def warnings(workspace):
    found = []
    build = _build_type(workspace.build)
    if build not in ("Release", "RelWithDebInfo"):
        found.append(f"the build in {workspace.build} is '{build}'; only Release is worth measuring")
    if re.search(r"TUNNEL_SANITIZE:\w+=.+", _cache(workspace.build)):
        found.append(f"the build in {workspace.build} has sanitizers")
    if os.getloadavg()[0] > 0.5:
        found.append(f"the machine is busy (load average {os.getloadavg()[0]:.2f}); expect a wide spread")
    return found


def _cache(build):
    try:
        return (build / "CMakeCache.txt").read_text(encoding="utf-8")
    except OSError:
        return ""


def _build_type(build):
    found = re.search(r"CMAKE_BUILD_TYPE:\w+=(.*)", _cache(build))
    return found.group(1) if found else "unknown"


def _cpu_model():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        found = re.search(r"model name\s*:\s*(.*)", file.read())
    return found.group(1) if found else platform.machine()


def _version(argv):
    """The first words of what the program says about itself."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return " ".join((done.stdout or done.stderr).split()[:3]).rstrip(",") or "unknown"
