#!/usr/bin/env python3
"""Ends with 0 when this kernel lets this user have as many io_urings as the tests need; else prints why not and ends with 1.

An ordinary user's count against the limit of locked memory."""

import ctypes
import errno
import os
import sys

IO_URING_SETUP = 425  # on every architecture
ENTRIES = 16384       # as Asio makes them
RINGS = 64            # several tests at once, each with both programs

libc = ctypes.CDLL(None, use_errno=True)
for _ in range(RINGS):
    if libc.syscall(IO_URING_SETUP, ENTRIES, ctypes.create_string_buffer(120)) < 0:  # io_uring_setup(2), params all 0
        error = ctypes.get_errno()
        print(os.strerror(error) + (" (raise the limit of locked memory: ulimit -l)" if error == errno.ENOMEM else ""))
        sys.exit(1)
