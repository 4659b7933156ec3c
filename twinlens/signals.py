"""What a signal handler may do: very little."""

from __future__ import annotations

import threading


def set_from_handler(event: threading.Event) -> None:
    """Set an event from a signal handler whose thread may be waiting for that event.

    ``Event.set`` itself takes a lock that is not reentrant and that ``Event.wait`` holds for moments:
    a signal that comes then would hang the process for good (seen within 12 s of short waits).
    """
    threading.Thread(target=event.set, name="signal", daemon=True).start()
