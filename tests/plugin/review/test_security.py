"""Who is let in, from where and with what; what answers carry."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from http.cookies import SimpleCookie

import pytest

from tests.plugin.review.conftest import Client, Page, Read, Serve

DECISION = {"verdict": "same", "photos": [1, 2], "keep": None}


@pytest.fixture
def fresh(own: Read, serve: Serve) -> Page:
    """A page whose token nobody used yet."""
    return serve(own.library.folder)


def raw(page: Page, method: str, target: str, headers: dict[str, str] | None = None) -> int:
    """Send a request as it stands, with the cookie; return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", page.port, timeout=20)
    cookie = "; ".join(f"{name}={value}" for name, value in page.cookies.items())
    connection.putrequest(method, target, skip_host="Host" in (headers or {}))
    for name, value in {"Cookie": cookie, **(headers or {})}.items():
        connection.putheader(name, value)
    connection.endheaders()
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def test_the_address_works_once(fresh: Page):
    """The token is exchanged for a cookie, and gone from the address; then it is worth nothing."""
    assert fresh.url.startswith(f"http://127.0.0.1:{fresh.port}/?token=")
    assert len(fresh.url.partition("=")[2]) >= 43, "256 bits in base64"
    with fresh.stranger() as first, fresh.stranger() as second:
        assert first.head(fresh.url).status_code == 401, "looking does not use it up"
        answer = first.get(fresh.url)
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = SimpleCookie(answer.headers["set-cookie"])[f"twinlens-{fresh.port}"]
        assert cookie["httponly"]
        assert cookie["samesite"].lower() == "strict"
        assert cookie["path"] == "/"
        assert first.get("/").status_code == 200
        assert first.get(fresh.url).status_code == 303, "who is in already just goes on"
        refused = second.get(fresh.url)
        assert refused.status_code == 403
        assert "was used already" in refused.json()["error"]
        assert second.get("/").status_code == 401


@pytest.mark.parametrize("token", ["", "x", "ü", "%ff%fe", "A" * 43, "A" * 10_000])
def test_a_wrong_token_opens_nothing(page: Page, token: str):
    """Whatever is in it."""
    with page.stranger() as stranger:
        answer = stranger.get(f"/?token={token}")
    assert answer.status_code == 403
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/groups", "/photos/1/thumb", "/photos/1/full", "/static/base.css", "/nothing"]
)
def test_nothing_is_there_without_the_cookie(page: Page, path: str):
    """Not even whether there is such a page."""
    with page.stranger() as stranger:
        assert stranger.get(path).status_code == 401
        name = next(iter(page.cookies))
        stranger.headers["Cookie"] = f"{name}=wrong"
        assert stranger.get(path).status_code == 401
        stranger.headers["Cookie"] = "\\xff; =; {}"
        assert stranger.get(path).status_code == 401


def test_nothing_is_decided_without_the_cookie(page: Page, client: Client):
    """All the rest being right."""
    with page.stranger() as stranger:
        assert stranger.post("/decisions", json=DECISION, headers=client.own).status_code == 401


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:{port}",
        "127.0.0.1",
        "127.0.0.1:1",
        "0.0.0.0:{port}",
        "",
        "[::1]:{port}",
    ],
)
def test_another_host_is_refused(page: Page, host: str):
    """A site whose name was made to point here (DNS rebinding) has its own name as Host."""
    assert raw(page, "GET", "/", {"Host": host.format(port=page.port)}) == 421


def test_localhost_is_the_same_page(page: Page):
    """People type it; its Origin is that of localhost then, and no other."""
    host = {"Host": f"localhost:{page.port}"}
    assert raw(page, "GET", "/", host) == 200
    assert raw(page, "GET", "/", {**host, "Origin": f"http://localhost:{page.port}"}) == 200
    assert raw(page, "GET", "/", {**host, "Origin": f"http://127.0.0.1:{page.port}"}) == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Origin": "https://127.0.0.1:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_is_refused(page: Page, client: Client, headers: dict[str, str]):
    """Whatever it asks for, as far as the browser tells: other ports of this computer too."""
    sent = {name: value.format(port=page.port) for name, value in headers.items()}
    assert client.get("/", headers=sent).status_code == 403
    assert client.get("/photos/1/thumb", headers=sent).status_code == 403
    answer = client.post("/decisions", json=DECISION, headers={**client.own, **sent})
    assert answer.status_code == 403


@pytest.mark.parametrize("missing", ["Origin", "X-Twinlens"])
def test_a_post_without_a_header_of_ours_is_refused(client: Client, missing: str):
    """A form on another site can send neither."""
    headers = {name: value for name, value in client.own.items() if name != missing}
    answer = client.post("/decisions", json=DECISION, headers=headers)
    assert answer.status_code == 403
    assert answer.json() == {"error": "Only this page itself may change something."}


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_a_body_that_a_form_could_send_is_refused(client: Client, kind: str):
    """JSON and photos alone."""
    headers = {**client.own, "Content-Type": kind}
    assert client.post("/decisions", content=b"{}", headers=headers).status_code == 415


@pytest.mark.parametrize(
    "method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "GETT"]
)
def test_other_methods_are_refused(page: Page, method: str):
    """OPTIONS too: no other site is told that it may ask."""
    assert raw(page, method, "/") == 405


def test_methods_are_those_of_the_page(client: Client):
    """A decision cannot be made by following a link, nor a picture be posted to."""
    assert client.get("/decisions").status_code == 405
    assert client.send_json("/photos/1/thumb", {}).status_code == 405


def test_a_body_that_is_too_large_is_refused(client: Client):
    """Where it says so, before any of it is read."""
    answer = client.post(
        "/decisions",
        content=b"x" * 1_000_001,
        headers={**client.own, "Content-Type": "application/json"},
    )
    assert answer.status_code == 413
    assert answer.json() == {"error": "That is more than this page takes."}


def test_a_body_that_grows_too_large_is_refused(client: Client):
    """And where it does not say so, as soon as it is too much."""

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b" " * 50_000

    headers = {**client.own, "Content-Type": "application/json"}
    assert client.post("/decisions", content=endless(), headers=headers).status_code == 413


def test_what_answers_carry(client: Client):
    """Pages, errors and pictures alike: no script but ours, no other site, nothing guessed."""
    for path, status in (
        ("/", 200),
        ("/photos/1/thumb", 200),
        ("/nothing", 404),
        ("/static/base.css", 200),
    ):
        answer = client.get(path)
        assert answer.status_code == status
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "no-referrer"
        assert answer.headers["cross-origin-resource-policy"] == "same-origin"
        assert answer.headers["cross-origin-opener-policy"] == "same-origin"
        assert "access-control-allow-origin" not in answer.headers
        assert "server" not in answer.headers


@pytest.mark.parametrize(
    "target",
    [
        "/static/../templates/base.html",
        "/static/..%2ftemplates/base.html",
        "/static/%2e%2e/templates/base.html",
        "/static/%252e%252e/templates/base.html",
        "/static/..%5c..%5capp.py",
        "/static//etc/passwd",
        "/static/%2fetc%2fpasswd",
        "/static/base.css%00.html",
        "/static/",
        "/photos/../../etc/passwd",
        "/photos/%2e%2e%2f%2e%2e%2fetc%2fpasswd/full",
        "/photos/%252e%252e%252fetc%252fpasswd/full",
        "/photos/1%00/full",
        "/photos/1%2f..%2f2/full",
        "/photos/-1/full",
        "/photos/1.0/full",
        "/photos/0x1/full",
        "/photos/\u0661/full",
        "/photos/99999999/full",
        "/photos/99999999999999999999999999/full",
        "/photos/1/full/../../../etc/passwd",
    ],
)
def test_no_name_in_an_address_leads_anywhere(page: Page, target: str):
    """Photos are numbers, and what lies beside the static files is not one of them."""
    encoded = "".join(
        c if c.isascii() else "".join(f"%{b:02x}" for b in c.encode()) for c in target
    )
    assert raw(page, "GET", encoded) == 404


def test_the_page_is_at_this_computer_alone(page: Page):
    """No other address of this computer answers, so that no other computer gets an answer."""
    with socket.socket() as probe:
        probe.settimeout(5)
        assert probe.connect_ex(("127.0.0.2", page.port)) != 0


def test_what_is_no_http_is_survived(page: Page, client: Client):
    """Nothing is said about it, and the page goes on."""
    for data in (
        b"\x16\x03\x01\x02",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", page.port), timeout=5) as connection:
            connection.sendall(data)
    assert client.get("/").status_code == 200


_AS_NOBODY = """
import os, socket, sys
os.setgid(65534)
os.setuid(65534)
port, target, cookie = int(sys.argv[1]), *sys.argv[2:]
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::ffff:127.0.0.1")):
    with socket.socket(family, socket.SOCK_STREAM) as asking:
        asking.connect((host, port))
        asking.sendall(f"GET {target} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nCookie: {cookie}\\r\\nConnection: close\\r\\n\\r\\n".encode())
        print(asking.recv(12).decode()[-3:])
"""


def as_nobody(page: Page, target: str, cookie: str = "") -> list[str]:
    """Ask as another user of this computer, by IPv4 and by a socket for both; return what is answered."""
    if os.geteuid() != 0:
        pytest.skip("only root can be another user")
    done = subprocess.run(
        [sys.executable, "-c", _AS_NOBODY, str(page.port), target, cookie],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_another_user_gets_nowhere_with_the_address(fresh: Page):
    """Who reads it off the arguments of the browser; the token is still good for its owner."""
    assert as_nobody(fresh, fresh.url.removeprefix(fresh.origin)) == ["403", "403"]
    with fresh.stranger() as owner:
        assert owner.get(fresh.url).status_code == 303


def test_another_user_gets_nowhere_with_the_cookie(page: Page):
    """Browsers send it to every port of this address: to the servers of other users too."""
    ((name, value),) = page.cookies.items()
    assert as_nobody(page, "/photos/1/thumb", f"{name}={value}") == ["403", "403"]


def test_a_cookie_set_by_another_port_keeps_nobody_out(page: Page):
    """A server beside this one may set a cookie of the same name: one of them is ours, and counts."""
    ((name, value),) = page.cookies.items()
    for pair in (f"{name}=planted; {name}={value}", f"{name}={value}; {name}=planted"):
        with page.stranger() as browser:
            assert browser.get("/", headers={"Cookie": pair}).status_code == 200
