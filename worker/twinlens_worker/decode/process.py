"""One decoder process, seen from its parent: start, ask, and kill when it takes too long."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from multiprocessing.connection import Connection

from twinlens.errors import DecoderCrashError, DecoderTimeoutError, PhotoError
from twinlens.settings import Settings
from twinlens_worker.decode.request import READY, Answer, Decoded, DecodeRequest

_CHILD = "twinlens_worker.decode.child"

_START_SECONDS = 60.0
"""Importing takes 0.5 s, but from a cold disk on a busy computer it may take far longer."""

_EXIT_SECONDS = 0.2
"""How long a child that closed its connection may take to be gone; the kernel needs 10 ms."""

_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
"""There are as many decoders as cores; a thread pool in each costs memory and gains nothing."""


class DecoderProcess:
    """A child that decodes one photo at a time; started again when it has died.

    Used by one thread; only ``kill`` may be called from others.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lock = threading.Lock()  # guards the two below
        self._killed = False
        self._child: subprocess.Popen[bytes] | None = None
        self._connection: Connection | None = None

    def start(self) -> None:
        """Start the child and wait until it is ready. Raises DecoderCrashError if it is not."""
        ours, theirs = socket.socketpair()
        with theirs:
            self._connection = Connection(ours.detach())
            self._launch(theirs.fileno())
        if self._receive(self._connection, _START_SECONDS) != READY:
            raise DecoderCrashError(
                f"the decoder process did not start ({self._end()})."
                " Run the worker in a terminal to see why."
            )

    def decode(self, request: DecodeRequest) -> Decoded:
        """Have one photo decoded.

        Raises what the child raises (a PhotoError), DecoderTimeoutError, DecoderCrashError.
        """
        answer = self._ask(self._ready(), request)
        if answer.last:
            self._end()
        if isinstance(answer.result, PhotoError):
            raise answer.result
        return answer.result

    def kill(self) -> None:
        """End the child now and for good; a call that waits for it raises DecoderCrashError."""
        with self._lock:
            self._killed = True
            if self._child is not None:
                self._child.kill()

    def close(self) -> None:
        """End the child and wait until it is gone; for the thread that uses this process."""
        self.kill()
        self._end()

    def _launch(self, descriptor: int) -> None:
        arguments = (
            descriptor,
            self._settings.max_megapixels,
            self._settings.decode_megabytes,
            os.getpid(),
        )
        with self._lock:
            if self._killed:
                return
            self._child = subprocess.Popen(
                # -P: the folder we stand in may be a photo folder with an innocent numpy.py.
                [sys.executable, "-P", "-m", _CHILD, *map(str, arguments)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(descriptor,),
                env=os.environ | _ONE_THREAD,
            )

    def _ready(self) -> Connection:
        """Return the connection to a child that lives, started now where there was none.

        One that died while idle is replaced without a word: no photo is to blame.
        """
        if self._child is not None and self._child.poll() is not None:
            self._end()
        if self._child is None:
            self.start()
        assert self._connection is not None
        return self._connection

    def _ask(self, connection: Connection, request: DecodeRequest) -> Answer:
        seconds = self._settings.decode_seconds
        try:
            with contextlib.suppress(OSError):  # it died just now: _receive sees it as well
                connection.send(request)
            answer = self._receive(connection, seconds)
        except TimeoutError:
            self._end()
            raise DecoderTimeoutError(
                f"decoding took longer than decode_seconds = {seconds:g}."
                " Raise that setting if the disk is slow; else the file is damaged."
            ) from None
        if not isinstance(answer, Answer):
            raise DecoderCrashError(
                f"the decoder process died on this photo ({self._end()})."
                " The file may be damaged: open it in another program and save it anew."
            )
        return answer

    @staticmethod
    def _receive(connection: Connection, seconds: float) -> object:
        """Return what the child says, None where it died. Raises TimeoutError."""
        try:
            if connection.poll(seconds):
                return connection.recv()
        except (EOFError, OSError):
            return None
        raise TimeoutError

    def _end(self) -> str:
        """Make sure that the child is gone, and return how it went."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        with self._lock:
            child, self._child = self._child, None
        if child is None:
            return "stopped"
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(_EXIT_SECONDS)  # one that is exiting by itself has more to tell
        child.kill()
        return _how_it_ended(child.wait())


def _how_it_ended(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
