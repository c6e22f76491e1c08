"""sockets.py - what another process's TCP sockets are set to, asked of the sockets themselves."""
import contextlib
import ctypes
import errno
import os
import socket

from tap import skip

PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


@contextlib.contextmanager
def copied(pidfd, fd):
    """A copy of the other process's descriptor; OSError where it is no socket, or gone."""
    copy = _libc.syscall(PIDFD_GETFD, pidfd, fd, 0)
    if copy < 0 and ctypes.get_errno() == errno.EPERM:
        skip("pidfd_getfd is not allowed here")
    if copy < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    try:
        s = socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise
    with s:
        yield s


def congestion_controls(pid):
    """[(its port, the peer's or None, congestion control)] of a process's TCP sockets."""
    pidfd, found = os.pidfd_open(pid), []
    for fd in map(int, os.listdir(f"/proc/{pid}/fd")):
        with contextlib.suppress(OSError), copied(pidfd, fd) as s:
            name = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()
            peer = None
            with contextlib.suppress(OSError):
                peer = s.getpeername()[1]
            found.append((s.getsockname()[1], peer, name))
    os.close(pidfd)
    return found
