"""The list of groups: the page, its pieces, its filters."""

from __future__ import annotations

import re

from tests.plugin.review.conftest import Client, Read


def named(html: str) -> list[str]:
    """Return the names of the groups in a piece of the page."""
    return re.findall(r'<article[^>]* data-group="(\w+)"', html)


def test_the_page_lists_the_groups(client: Client, read: Read):
    """The first page of groups is in the page itself, before any script runs."""
    answer = client.get("/")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert len(named(answer.text)) >= 3
    assert f"/photos/{read.file_id('2024/photo-0.jpg')}/thumb" in answer.text
