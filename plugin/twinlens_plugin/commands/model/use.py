"""``twinlens model use``: embed with another model from now on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click

from twinlens.models import Model, Waiting, set_target, waiting
from twinlens.settings import is_sha256
from twinlens_plugin import output
from twinlens_plugin.asking_worker import describe_model
from twinlens_plugin.completing import known_to_library, models
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Command, Session, common

TORCHSCRIPT = "torchscript:"


@dataclass(frozen=True, slots=True)
class Choice:
    """What was asked for."""

    name: str
    weights: str | None
    sha256: str | None
    allow_torchscript: bool
    labels: bool | None
    now: bool


@click.command("use", cls=Command)
@click.argument("name", shell_complete=known_to_library(models))
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Take the model's weights from this file (.safetensors, or .pth with weights alone).",
)
@click.option(
    "--sha256",
    metavar="HEX",
    help="Refuse weights whose SHA-256 is another. Needed for TorchScript.",
)
@click.option(
    "--allow-torchscript",
    is_flag=True,
    help="FILE is a TorchScript program, and may run with all that you may do.",
)
@click.option(
    "--labels/--no-labels",
    default=None,
    help="Keep what the model names in the photos, or not (yes, where it has names).",
)
@click.option("--now", is_flag=True, help="Answer with it at once, not only when it has caught up.")
@common
def use(
    name: str,
    weights: str | None,
    sha256: str | None,
    labels: bool | None,  # noqa: FBT001  click passes it by name
    session: Session,
    *,
    allow_torchscript: bool,
    now: bool,
) -> None:
    r"""Embed the photos with another model from now on.

    The old model goes on answering until the new one has caught up; "twinlens scan" makes it.
    Official weights are downloaded. A TorchScript file is a program: it is opened only with
    --allow-torchscript and the --sha256 of a file that you trust, and NAME says the side of its
    input in pixels.

    Example:
      twinlens model use pocket
      twinlens model use torchvision:resnet50
      twinlens model use torchvision:resnet50 --weights ~/resnet50.safetensors
      twinlens model use torchscript:sscd@288 --weights sscd.pt \
          --allow-torchscript --sha256 0123...cdef
    """
    choice = Choice(name, weights, _hex(sha256), allow_torchscript, labels, now)
    _check(choice)
    described = _describe(choice)
    with session.open_to_write() as catalogue:
        model, again = set_target(
            catalogue,
            **_fields(described),
            weights=weights,
            labels=_keeps_labels(choice, described),
            at_once=now,
        )
        waits = waiting(catalogue)
    if session.as_json:
        output.write_json(_as_json(model, again, waits))
    else:
        output.write_lines([_as_text(model, waits, now=now)])


def _hex(sha256: str | None) -> str | None:
    if sha256 is None:
        return None
    if not is_sha256(sha256.lower()):
        raise click.UsageError("--sha256 takes 64 hexadecimal digits, as sha256sum prints them.")
    return sha256.lower()


def _check(choice: Choice) -> None:
    """Refuse what is not fully agreed to, before any program looks at the file."""
    if not choice.name.startswith(TORCHSCRIPT):
        if choice.allow_torchscript:
            raise click.UsageError(
                f"--allow-torchscript is for models named {TORCHSCRIPT}NAME@SIZE."
            )
        return
    if not choice.weights:
        raise click.UsageError(f"{choice.name} needs its file: --weights FILE.")
    if not choice.allow_torchscript:
        raise click.UsageError(
            "a TorchScript file is a program that can do whatever you can. If you trust this one,"
            " add --allow-torchscript."
        )
    if not choice.sha256:
        raise click.UsageError(
            "say which file you trust, so that no other ever runs in its place: --sha256 HEX, as"
            " its publisher gives it."
        )


def _describe(choice: Choice) -> dict[str, Any]:
    trust = choice.sha256 if choice.allow_torchscript else None
    described = describe_model(choice.name, choice.weights, trust)
    if choice.sha256 and described["digest"] != choice.sha256:
        raise ChildError(
            f"{choice.weights or choice.name}: its sha256 is {described['digest']}, not the one"
            " given. Fetch the file again, or correct --sha256."
        )
    return described


def _fields(described: dict[str, Any]) -> dict[str, Any]:
    keys = ("name", "digest", "dimension", "input_size", "copy_threshold")
    return {key: described[key] for key in keys}


def _keeps_labels(choice: Choice, described: dict[str, Any]) -> bool:
    if choice.labels and not described["categories"]:
        raise ChildError(
            f"{choice.name}: names nothing in photos, it has no classification head."
            " Leave --labels out, or use a torchvision classifier."
        )
    return bool(described["named"]) if choice.labels is None else choice.labels


def _as_json(model: Model, again: int, waits: Waiting) -> dict[str, Any]:
    return {
        "name": model.name,
        "digest": model.digest,
        "labels": model.labels,
        "photos_to_embed": again,
        "photos_away": waits.away,
    }


def _as_text(model: Model, waits: Waiting, *, now: bool) -> str:
    if not waits.here and not waits.away:
        return f"{model.name} is in use. Every photo has its numbers already."
    state = "answers from now on" if now else "is wanted"
    away = f" {output.plural(waits.away, 'photo')} on disks that are away." if waits.away else ""
    if not waits.here:
        return f"{model.name} {state}.{away} Bring them back, then: twinlens scan"
    until = "" if now else " Until then the old index goes on answering."
    again = f"{output.plural(waits.here, 'photo')} to embed again: twinlens scan"
    return f"{model.name} {state}. {again}{(away or until) and '.'}{away}{until}"
