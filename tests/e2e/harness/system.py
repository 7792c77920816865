"""What this machine offers: users, tools, the kind of build under test."""

import os
import pwd
import shutil
import unittest


def is_root() -> bool:
    return os.geteuid() == 0


def ordinary_user() -> str | None:
    """The user that programs are started as to show that they need no root; None: we are one already."""
    return "nobody" if is_root() else None


def user_arguments(name: str | None) -> list[str]:
    """Arguments of setpriv(1) that make the program run as `name`."""
    if name is None:
        return []
    entry = pwd.getpwnam(name)
    return [f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--clear-groups", "--inh-caps=-all"]


def give_to(path: str, name: str | None) -> None:
    """Makes `name` the owner of path and all below."""
    if name is None:
        return
    entry = pwd.getpwnam(name)
    os.chown(path, entry.pw_uid, entry.pw_gid)
    for folder, folders, files in os.walk(path):
        for leaf in folders + files:
            os.chown(os.path.join(folder, leaf), entry.pw_uid, entry.pw_gid, follow_symlinks=False)


def tool(name: str) -> str:
    """The path of a program that the test talks to; skips the test when the machine has none."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        raise unittest.SkipTest(f"{name} is not installed (tests/run.sh installs what the tests need)")
    return path


def sanitizer() -> str:
    """The sanitizers of the build under test, empty when there are none."""
    return os.environ.get("TUNNEL_SANITIZE", "")


def full_size() -> bool:
    """Whether volumes are those of the product's promise; other builds move a tenth, which covers the same paths."""
    return os.environ.get("TUNNEL_BUILD_TYPE", "Release") == "Release" and not sanitizer()
