"""Who may come in: one-time tokens in addresses, and the cookie that they are exchanged for."""

from __future__ import annotations

import hmac
import secrets
import threading

BITS = 256


class Tokens:
    """The tokens and the cookie of one running page.

    1. An address holds a token that works once. 2. It is exchanged for the cookie, the same for all
    who come in. 3. All of them end with the process.
    """

    def __init__(self) -> None:
        self.cookie = secrets.token_urlsafe(BITS // 8)
        """What the cookie must be."""
        self._tokens: list[str] = []
        self._lock = threading.Lock()

    def new_token(self) -> str:
        """Return a token that works once."""
        token = secrets.token_urlsafe(BITS // 8)
        with self._lock:
            self._tokens.append(token)
        return token

    def use(self, token: str) -> bool:
        """Tell whether a token is good; it is not any more after that."""
        with self._lock:
            # Every one is compared, in constant time: how long it takes tells nothing.
            found = [one for one in self._tokens if _same(one, token)]
            for one in found:
                self._tokens.remove(one)
        return bool(found)

    def opens(self, cookie: str) -> bool:
        """Tell whether a cookie is ours."""
        return _same(self.cookie, cookie)


def _same(ours: str, theirs: str) -> bool:
    return hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "surrogateescape"))
