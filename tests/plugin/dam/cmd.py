"""cmd.exe, as far as one command with redirections goes, and how a program splits its line.

By Microsoft's documentation of cmd ("/c": how quotes are dropped), of the C runtime ("Parsing C
command-line arguments"), and the phases of cmd's parser as they were found out
(https://stackoverflow.com/a/4095133): 1. %NAME%, in quotes too, by variables that there are;
2. quotes, ^, and the special characters outside of quotes; 3. redirections.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

SPECIAL = "&|()\n"


@dataclass
class Started:
    """What cmd starts, and where its streams go."""

    arguments: list[str]
    streams: dict[str, str] = field(default_factory=dict)
    """``<``, ``>`` and ``2>`` with their files."""


def run(line: str, variables: Mapping[str, str]) -> Started:
    """Return what ``cmd.exe /c LINE`` starts. Raises ValueError for what is no single command."""
    line = _expanded(_without_outer_quotes(line), variables)
    command, streams = _parsed(line)
    return Started(list(split(command)), streams)


def _without_outer_quotes(line: str) -> str:
    """All quotes stay only where there are two of them, with no special character between."""
    plain = line.count('"') == 2 and not re.search(r"[&<>()@^|]", line) and " " in line
    if not line.startswith('"') or plain:
        return line
    last = line.rindex('"')
    return line[1:last] + line[last + 1 :]


def _expanded(line: str, variables: Mapping[str, str]) -> str:
    """A variable that is not there stays as it is written: this is no batch file."""
    upper = {name.upper(): value for name, value in variables.items()}
    done, at = "", 0
    while (start := line.find("%", at)) >= 0:
        end = line.find("%", start + 1)
        name = line[start + 1 : end].upper() if end > 0 else ""
        if name in upper:
            done += line[at:start] + upper[name]
            at = end + 1
        else:
            done += line[at : start + 1]
            at = start + 1
    return done + line[at:]


def _parsed(line: str) -> tuple[str, dict[str, str]]:
    """Return the command with its quotes, and its redirections."""
    parts: list[tuple[str, str]] = [("", "")]  # which stream, its text
    quoted, at = False, 0
    while at < len(line):
        letter = line[at]
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter == "^":
            at += 1
            letter = line[at]
        elif not quoted and letter in SPECIAL:
            raise ValueError(f"not one command: {letter!r} at {at} of {line}")
        elif not quoted and letter in "<>":
            number = "2" if parts[-1][1].endswith(" 2") else ""
            stream, text = parts[-1]
            parts[-1] = (stream, text.removesuffix(number))
            parts.append((number + letter, ""))
            letter = ""
        stream, text = parts[-1]
        parts[-1] = (stream, text + letter)
        at += 1
    (_, command), *redirected = parts
    return command.rstrip(), {stream: _file(text) for stream, text in redirected}


def _file(text: str) -> str:
    """Cmd drops the quotes of a file's name; two backslashes in a path are one to Windows."""
    name = text.strip().replace('"', "")
    return name[:1] + name[1:].replace("\\\\", "\\")


def split(command: str) -> Iterator[str]:
    """Yield the arguments, as the C runtime does."""
    argument, quoted, begun, at = "", False, False, 0
    while at < len(command):
        slashes = len(command[at:]) - len(command[at:].lstrip("\\"))
        at += slashes
        letter = command[at : at + 1]
        if letter == '"':
            argument += "\\" * (slashes // 2)
            if slashes % 2:
                argument += '"'
            else:
                quoted = not quoted
            begun = True
        else:
            argument += "\\" * slashes
            if letter in " \t" and letter and not quoted:
                if begun or argument:
                    yield argument
                argument, begun = "", False
            else:
                argument += letter
        at += 1
    if begun or argument:
        yield argument
