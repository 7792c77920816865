"""A throwaway virtual machine: Debian's cloud kernel under QEMU, an initramfs made on the spot, no disk, no network.

boot() runs programs of this build in it and returns how each ended. Everything the guest has is what is put into the
initramfs: the programs with their shared libraries, kernel modules with those they depend on, and guest-init. The
processor is emulated (TCG), so that it needs no /dev/kvm and is the same everywhere; it is slow.
"""

import dataclasses
import lzma
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
QEMU = "qemu-system-x86_64"
# Kernel TLS with the ciphers as a server has them: the processor's AES instructions with what they fall back on.
MODULES = ("tls", "aesni_intel", "ghash_clmulni_intel", "gcm", "ctr", "ghash_generic", "cryptd")


class Unavailable(Exception):
    """No guest can be had on this machine; says what is missing and what to do."""


@dataclasses.dataclass
class Kernel:
    image: pathlib.Path
    modules: pathlib.Path


@dataclasses.dataclass
class Ended:
    """How one command ended in the guest; status is None when the guest ended first or the time was up."""
    output: str
    status: int | None
    seconds: float


def find_kernel() -> Kernel:
    """The kernel that tests/run.sh unpacks, else one that is installed."""
    if platform.machine() != "x86_64":
        raise Unavailable(f"the guest is x86_64 and this machine's programs are {platform.machine()}")
    if not shutil.which(QEMU):
        raise Unavailable(f"{QEMU} is missing: install the package qemu-system-x86")
    unpacked = pathlib.Path(os.environ.get("TUNNEL_GUEST_KERNEL") or ROOT / "build" / "guest-kernel")
    for root in (unpacked, pathlib.Path("/")):
        for image in sorted(root.glob("boot/vmlinuz-*-cloud-amd64"), reverse=True):
            modules = root / "lib" / "modules" / image.name.removeprefix("vmlinuz-")
            if os.access(image, os.R_OK) and modules.is_dir():
                return Kernel(image, modules)
    raise Unavailable("no kernel of linux-image-cloud-amd64: install it, or unpack it without installing: "
                      f"bash -c 'source {ROOT}/deploy/packages.sh; unpack_guest_kernel {unpacked}'")


def read_module(path: pathlib.Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".xz":
        return lzma.decompress(data)
    if path.suffix == ".zst":
        return subprocess.run(["zstd", "-dc"], input=data, check=True, capture_output=True).stdout
    return data


def modules_in_order(kernel: Kernel, wanted) -> dict[str, bytes]:
    """The wanted modules, each after those it depends on. The package has no modules.dep: depmod makes that."""
    files = {re.sub(r"\.ko(\.\w+)?$", "", path.name).replace("-", "_"): path for path in kernel.modules.rglob("*.ko*")}
    ordered: dict[str, bytes] = {}

    def add(name: str) -> None:
        if name in ordered:
            return
        if name not in files:
            return  # built into this kernel
        content = read_module(files[name])
        found = re.search(rb"\0depends=([^\0]*)\0", content)
        for needed in (found.group(1).decode().split(",") if found else []):
            if needed:
                add(needed.replace("-", "_"))
        ordered[name] = content

    for name in wanted:
        add(name)
    return ordered


def libraries_of(program: pathlib.Path) -> set[str]:
    shown = subprocess.run(["ldd", str(program)], check=True, capture_output=True, text=True).stdout
    if "not found" in shown:
        raise RuntimeError(f"{program} does not find its libraries:\n{shown}")
    return set(re.findall(r"(/\S+) \(0x", shown))


class Archive:
    """An initramfs: a cpio archive of the kind the kernel reads (Documentation/driver-api/early-userspace)."""

    def __init__(self, file):
        self._file = file
        self._folders: set[str] = set()
        self._inode = 0

    def _entry(self, name: str, mode: int, content: bytes) -> None:
        self._inode += 1
        raw = name.encode() + b"\0"
        fields = (self._inode, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(raw), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + raw
        self._file.write(header + b"\0" * (-len(header) % 4) + content + b"\0" * (-len(content) % 4))

    def add(self, path: str, content: bytes, mode: int = 0o644) -> None:
        for parent in reversed(pathlib.PurePosixPath(path).parents):
            name = str(parent).lstrip("/")
            if name and name not in self._folders:
                self._folders.add(name)
                self._entry(name, 0o040755, b"")
        self._entry(path.lstrip("/"), 0o100000 | mode, content)

    def end(self) -> None:
        self._entry("TRAILER!!!", 0, b"")


def write_initramfs(path: pathlib.Path, kernel: Kernel, init: pathlib.Path, commands) -> None:
    """Commands are lists of words; the first that is no NAME=VALUE is a program of this machine."""
    programs = {next(word for word in command if "=" not in word.split("/")[0]) for command in commands}
    libraries = set().union(*(libraries_of(pathlib.Path(program)) for program in programs))
    modules = modules_in_order(kernel, MODULES)
    with path.open("wb") as file:
        archive = Archive(file)
        archive.add("/init", init.read_bytes(), 0o755)
        for name in sorted(programs | libraries):
            archive.add(name, pathlib.Path(name).read_bytes(), 0o755)
        for name, content in modules.items():
            archive.add(f"/guest/{name}.ko", content)
        archive.add("/guest/modules", "".join(f"/guest/{name}.ko\n" for name in modules).encode())
        archive.add("/guest/commands", "".join("\t".join(command) + "\n" for command in commands).encode())
        archive.end()


def read_report(lines, count: int) -> list[Ended]:
    """Reads the guest's report to its end and shows it as it comes."""
    results = [Ended("", None, 0.0) for _ in range(count)]
    current, started = None, time.monotonic()
    for raw in lines:
        line = raw.decode(errors="replace")
        marker = re.match(r"@guest (run|end) (\d+) ?(\d+)?$", line.rstrip())
        if not marker:
            sys.stdout.write(line)
            sys.stdout.flush()
            if current is not None:
                results[current].output += line
        elif marker[1] == "run":
            current, started = int(marker[2]), time.monotonic()
        else:
            results[int(marker[2])].status = int(marker[3])
            results[int(marker[2])].seconds = time.monotonic() - started
            current = None
    return results


def boot(init: pathlib.Path, commands, deadline: float, memory_mib: int = 1536) -> tuple[list[Ended], str]:
    """Runs the commands in a guest: how each ended, and the kernel's messages. The guest is gone on return, after
    `deadline` seconds at the latest. Raises Unavailable."""
    kernel = find_kernel()
    with tempfile.TemporaryDirectory(prefix="tunnel-guest-") as folder:
        initramfs = pathlib.Path(folder, "initramfs")
        console = pathlib.Path(folder, "console")
        write_initramfs(initramfs, kernel, init, commands)
        guest = subprocess.Popen(
            [QEMU, "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", str(memory_mib),
             "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
             "-kernel", str(kernel.image), "-initrd", str(initramfs),
             "-append", "console=ttyS0 quiet panic=-1 reboot=t random.trust_cpu=on",
             "-serial", f"file:{console}", "-serial", "stdio"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        timer = threading.Timer(deadline, guest.kill)
        timer.start()
        try:
            results = read_report(guest.stdout, len(commands))
        finally:
            timer.cancel()
            guest.kill()
            guest.wait()
            guest.stdout.close()
        return results, console.read_text(errors="replace") if console.exists() else ""
