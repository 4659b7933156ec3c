"""The decoder process: bounded in memory, deaf to Ctrl-C, gone with its parent.

Started as ``python -P -m twinlens_worker.decode.child DESCRIPTOR MEGAPIXELS MEGABYTES PARENT``, with
one end of a socket pair as DESCRIPTOR. It says ``READY``, then answers each DecodeRequest with an
Answer, until the other end closes or it is too fat to go on.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from multiprocessing.connection import Connection
from pathlib import Path

from twinlens.errors import PhotoError
from twinlens_worker.decode.decoder import Decoder
from twinlens_worker.decode.failpoints import Failpoints
from twinlens_worker.decode.request import READY, Answer, Decoded, DecodeRequest

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_MEGABYTE = 1_000_000


def main() -> None:
    """Serve requests until the parent closes its end."""
    descriptor, max_megapixels, megabytes, parent = map(int, sys.argv[1:])
    die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides when to stop
    decoder = Decoder(max_megapixels=max_megapixels, after_read=Failpoints(os.environ).reached)
    full = mapped_bytes() + megabytes * _MEGABYTE // 2
    limit_memory(megabytes)
    _silence_libraries()
    with Connection(descriptor) as parent_end, contextlib.suppress(EOFError, OSError):
        parent_end.send(READY)
        last = False
        while not last:
            result = _result(decoder, parent_end.recv())
            last = mapped_bytes() > full  # a library leaks: a fresh process has room again
            parent_end.send(Answer(result, last))


def _result(decoder: Decoder, request: DecodeRequest) -> Decoded | PhotoError:
    try:
        return decoder.decode(request)
    except PhotoError as error:
        # Its cause and traceback hold the image: let go of them before the next photo.
        return type(error)(*error.args)


def die_with(parent: int) -> None:
    """Have the kernel kill this process when the thread that started it ends (Linux).

    Elsewhere the closed connection ends it after the photo at hand.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the kernel was asked
        sys.exit(1)


def limit_memory(megabytes: int) -> None:
    """Bound what photos may take, in MB (10^6 bytes) beyond what the libraries have mapped."""
    if mapped := mapped_bytes():  # macOS has no such limit that holds
        limit = mapped + megabytes * _MEGABYTE
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def mapped_bytes() -> int:
    """Return the size of this process's address space; 0 where /proc does not tell."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    except OSError:
        return 0
    return pages * resource.getpagesize()


def _silence_libraries() -> None:
    """Send stderr away: libtiff and LibRaw print what we report in better words."""
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  a device
        os.dup2(nowhere.fileno(), 2)


if __name__ == "__main__":
    main()
