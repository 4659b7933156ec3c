"""The guard before every request: who asks, from where, with what, and what goes out with the answer.

A request is answered when: 1. its Host is this page by number or as localhost, or another site's name
could be made to point here (DNS rebinding); 2. no other site sent it, as far as the browser tells
(Origin, Sec-Fetch-Site); 3. its method is known; 4. a POST comes from this page for certain: our
Origin, our own header, which no other site may send, and a body of a known kind and size; 5. a
program of this user sent it; 6. it bears the cookie, or a token that was not used yet.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final

from starlette.datastructures import Headers, MutableHeaders, QueryParams
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from twinlens_plugin.output import remark
from twinlens_plugin.review.peers import OURS, is_ours
from twinlens_plugin.review.problems import Refused, answer
from twinlens_plugin.review.state import State
from twinlens_plugin.wording import one_line

_ALLOWED: Final = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' blob:",  # blob: a photo that was dropped on the page, before it is sent
    "connect-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}

HEADERS: Final = {
    "Content-Security-Policy": "; ".join(f"{what} {whence}" for what, whence in _ALLOWED.items()),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}

METHODS: Final = ("GET", "HEAD", "POST")
JSON_BYTES: Final = 1_000_000
"""Largest body of a request: the numbers of 100,000 photos."""
UPLOAD_BYTES: Final = 300_000_000
"""Largest photo that is dropped on the page: RAW files of 150 MP cameras have 200 MB."""


class Guard:
    """ASGI middleware around everything."""

    def __init__(self, app: ASGIApp, state: State) -> None:
        self._app = app
        self._state = state
        names = ("127.0.0.1", "localhost")
        self._hosts = {f"{name}:{state.port}" for name in names}
        self._cookie = f"twinlens-{state.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or have the application answer."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return
        guarded = _Guarded(receive, send)
        try:
            entered = self._let_in(scope)
            if entered is not None:
                await entered(scope, receive, guarded.send)
                return
            guarded.limit = _limit(Headers(scope=scope))
            await self._app(scope, guarded.receive, guarded.send)
        except Refused as error:
            if not guarded.started:
                said = answer(Request(scope), str(error), error.status)
                await said(scope, receive, guarded.send)
        except ClientDisconnect:
            pass  # gone while its body was read: nobody waits for an answer
        except Exception as error:  # noqa: BLE001  answered by then; said here rather than as a traceback
            remark(one_line(error))

    def _let_in(self, scope: Scope) -> Response | None:
        """Return what lets someone in, or None for one who is. Raises Refused."""
        headers = Headers(scope=scope)
        self._check_source(headers)
        method = scope["method"]
        if method not in METHODS:
            raise Refused("This page does not do that.", 405)
        if method == "POST":
            self._check_post(headers)
        # A server that does not look once a connection is made looks for each request.
        ours = scope.get("state", {}).get(OURS)
        if not (is_ours(scope.get("client"), scope["server"]) if ours is None else ours):
            raise Refused("This page belongs to another user of this computer.", 403)
        known = any(map(self._state.tokens.opens, _cookies(headers, self._cookie)))
        token = QueryParams(scope["query_string"]).get("token") if scope["path"] == "/" else None
        if method == "GET" and token is not None:
            if known or self._state.tokens.use(token):
                return self._entrance()
            raise Refused(
                "This address was used already; each works once. Press Enter where twinlens review"
                " runs for another, or start it again.",
                403,
            )
        if not known:
            raise Refused(
                "This page is open only to who has its address. Take it from where twinlens review"
                " runs.",
                401,
            )
        return None

    def _check_source(self, headers: Headers) -> None:
        host = headers.getlist("host")
        if len(host) != 1 or host[0].lower() not in self._hosts:
            raise Refused("This page is not at that address.", 421)
        origins = headers.getlist("origin")
        if any(origin != f"http://{host[0].lower()}" for origin in origins):
            raise Refused("Other sites may not ask this page.", 403)
        if any(site not in ("same-origin", "none") for site in headers.getlist("sec-fetch-site")):
            raise Refused("Other sites may not ask this page.", 403)

    def _check_post(self, headers: Headers) -> None:
        if not headers.getlist("origin") or headers.get("x-twinlens") != "1":
            raise Refused("Only this page itself may change something.", 403)
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind not in ("application/json", "multipart/form-data"):
            raise Refused("Only JSON and photos are taken.", 415)

    def _entrance(self) -> Response:
        """Send on without the token, so that it stays neither in the address bar nor in the history."""
        response = Response(status_code=303, headers={"Location": "/"})
        response.set_cookie(
            self._cookie, self._state.tokens.cookie, path="/", httponly=True, samesite="strict"
        )
        return response


class _Guarded:
    """The two ends of a request: bodies within their limit, answers with their headers."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._taken = 0
        self.limit = 0
        self.started = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            if self._taken > self.limit:
                raise _too_large()
        return message

    async def send(self, message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.update(HEADERS)
            # Photos are private: nothing is kept by the browser that does not say otherwise.
            headers.setdefault("Cache-Control", "no-store")
        await self._send(message)


def _limit(headers: Headers) -> int:
    """Return how long a body may be. Raises Refused where it says that it is longer."""
    upload = headers.get("content-type", "").startswith("multipart/")
    limit = UPLOAD_BYTES if upload else JSON_BYTES
    stated = headers.get("content-length", "0")
    if not stated.isdecimal() or int(stated) > limit:
        raise _too_large()
    return limit


def _too_large() -> Refused:
    return Refused("That is more than this page takes.", 413)


def _cookies(headers: Headers, name: str) -> list[str]:
    """Return the cookies of a name: servers on other ports may have set one as well, to keep us out."""
    pairs = (pair.partition("=") for pair in headers.get("cookie", "").split(";"))
    return [value.strip() for key, _, value in pairs if key.strip() == name]
