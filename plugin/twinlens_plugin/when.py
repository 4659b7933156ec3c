"""Moments given on the command line: dates, and how long ago."""

from __future__ import annotations

import datetime as dt
import re

import click

_AGO = re.compile(r"(\d{1,5})([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 24 * 7}


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """``2026-05-01``, ``2026-05-01T14:30``, ``12h``, ``7d`` or ``2w``: seconds since 1970."""

    name = "when"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Read a moment, in local time."""
        if isinstance(value, float):
            return value
        try:
            return _moment(str(value)).timestamp()
        except (ValueError, OverflowError):
            self.fail(f"'{value}' is no date. Write 2026-05-01, or 7d for a week ago.", param, ctx)


def _moment(text: str) -> dt.datetime:
    if ago := _AGO.fullmatch(text):
        return dt.datetime.now().astimezone() - dt.timedelta(hours=int(ago[1]) * _HOURS[ago[2]])
    return dt.datetime.fromisoformat(text).astimezone()
