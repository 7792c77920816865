"""without_io_uring.py PROGRAM ARGUMENT...: runs it where io_uring_setup(2) is not permitted, as in many containers."""

import ctypes
import os
import struct
import sys

IO_URING_SETUP = 425  # on every architecture
PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS, SECCOMP_MODE_FILTER = 22, 38, 2
LOAD_WORD, JUMP_IF_EQUAL, RETURN = 0x20, 0x15, 0x06  # BPF, see seccomp(2)
ALLOW, REFUSE = 0x7FFF0000, 0x00050001               # SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO with EPERM


class Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]


code = b"".join(struct.pack("HBBI", *step) for step in (
    (LOAD_WORD, 0, 0, 0),
    (JUMP_IF_EQUAL, 0, 1, IO_URING_SETUP),
    (RETURN, 0, 0, REFUSE),
    (RETURN, 0, 0, ALLOW)))
libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(code) // 8, code)
if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(program), 0, 0):
    sys.exit(f"cannot forbid io_uring: {os.strerror(ctypes.get_errno())}")
os.execv(sys.argv[1], sys.argv[1:])
