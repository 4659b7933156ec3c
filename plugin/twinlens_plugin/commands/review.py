"""``twinlens review``: look through duplicates in the browser."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from twinlens_plugin import output
from twinlens_plugin.options import Command, Session, common


@click.command("review", cls=Command)
@click.option(
    "--port", type=click.IntRange(1, 65535), metavar="N", help="Port to use, instead of a free one."
)
@click.option("--no-browser", is_flag=True, help="Print the address, and open no browser.")
@common
def command(port: int | None, session: Session, *, no_browser: bool) -> None:
    """Look through duplicates in the browser: compare them, and decide which to keep.

    The page is served to this computer alone, and to nobody who has not the address that is printed.
    It works once: press Enter for another. Nothing is removed without a plan that you saw. It stays
    until Ctrl-C.

    Example:
      twinlens review
      twinlens review --port 8765 --no-browser
    """
    with session.open_to_read():
        pass  # what is wrong with the library is said here, not in the browser
    from twinlens_plugin.review.app import create_app
    from twinlens_plugin.review.server import HOST, Server, bind
    from twinlens_plugin.review.state import State
    from twinlens_plugin.review.terminal import on_enter

    listening = bind(port or 0)
    state = State(session, listening.getsockname()[1])

    def address() -> str:
        return f"http://{HOST}:{state.port}/?token={state.tokens.new_token()}"

    server = Server(create_app(state))
    with listening, server.ended_by_signals():
        first = address()
        if session.as_json:
            output.write_json({"url": first, "port": state.port, "pid": os.getpid()})
        else:
            output.write_lines([first])
            on_enter(lambda: output.write_lines([address()]))
        if not no_browser and _has_screen():
            _open(first)
        server.run(sockets=[listening])


def _has_screen() -> bool:
    """Tell whether someone sits before a screen: over SSH a browser would open nowhere, or in text."""
    screen = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return sys.stdout.isatty() and (bool(screen) or sys.platform == "darwin")


def _open(address: str) -> None:
    # A process of its own: some browsers return only when they are closed, and others write to what
    # they take for their terminal.
    subprocess.Popen(
        [sys.executable, "-m", "webbrowser", address],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
