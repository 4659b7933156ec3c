"""How bash, zsh and fish ask for completions, and the scripts that have them ask.

The shells' side is click's, with two changes. 1. bash takes a word apart at ``:`` and ``=``, so that
``torchvision:res`` would be completed as ``res``: its script hands over the line as it was typed, and
gives bash back what follows the last such sign. 2. fish's script of click's cuts a value at its first
comma, and ours have commas: ``identical,copy``.
"""

from __future__ import annotations

import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    split_arg_string,
)

VARIABLE = "_TWINLENS_COMPLETE"
"""By which the program knows that a shell asks."""

_BASH = """\
%(complete_func)s() {
    local IFS=$'\\n' line=${COMP_LINE:0:$COMP_POINT} word start type value
    word=${line##*[[:space:]]}
    start=${word%%"${word##*[:=]}"}
    COMPREPLY=()
    while IFS=, read -r type value; do
        case $type in
            dir) compopt -o dirnames ;;
            file) compopt -o default ;;
            plain) COMPREPLY+=("${value#"$start"}") ;;
        esac
    done < <(env COMP_WORDS="$line" %(complete_var)s=bash_complete "$1" 2>/dev/null)
    if [[ ${COMPREPLY[0]} == *[,:=] && ${#COMPREPLY[@]} == 1 ]]; then
        compopt -o nospace
    fi
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

_FISH = """\
function %(complete_func)s
    set -l response (env %(complete_var)s=fish_complete COMP_WORDS=(commandline -cp) \
COMP_CWORD=(commandline -t) %(prog_name)s 2>/dev/null)
    for completion in $response
        set -l parts (string split -m 1 "," -- $completion)
        switch $parts[1]
            case dir
                __fish_complete_directories $parts[2]
            case file
                __fish_complete_path $parts[2]
            case plain
                echo -- $parts[2]
        end
    end
end

complete --no-files --command %(prog_name)s --arguments "(%(complete_func)s)"
"""


class Bash(BashComplete):
    """bash 4.4 and later."""

    source_template = _BASH

    def source(self) -> str:
        """Return the script. It may be made for another computer: no bash is looked for here."""
        return ShellComplete.source(self)

    def get_completion_args(self) -> tuple[list[str], str]:
        """Take apart the line up to the cursor."""
        line = os.environ["COMP_WORDS"]
        words = split_arg_string(line)[1:]
        if line[-1:].isspace() or not words:
            return words, ""
        return words[:-1], words[-1]


class Fish(FishComplete):
    """fish 3 and later."""

    source_template = _FISH


SHELLS: dict[str, type[ShellComplete]] = {"bash": Bash, "zsh": ZshComplete, "fish": Fish}


def register() -> None:
    """Have click answer by these classes."""
    for name, shell in SHELLS.items():
        add_completion_class(shell, name)


def script(cli: click.Command, shell: str) -> str:
    """Return the script that has a shell complete the words of ``twinlens``."""
    return SHELLS[shell](cli, {}, "twinlens", VARIABLE).source()


__all__ = ["SHELLS", "VARIABLE", "CompletionItem", "register", "script"]
