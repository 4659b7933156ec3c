"""``twinlens model``: which models are there, and which one is used?"""

from __future__ import annotations

from typing import Any

import click

from twinlens.catalogue import Catalogue
from twinlens.models import get_model, set_target
from twinlens_plugin import output
from twinlens_plugin.asking_worker import describe_model, known_models
from twinlens_plugin.options import Command, Group, Session, common


@click.group("model", cls=Group)
def command() -> None:
    """List the models that turn photos into numbers, or choose one.

    Example:
      twinlens model list
      twinlens model use torchvision:mobilenet_v3_large
    """


@command.command("list", cls=Command)
@common
def list_models(session: Session) -> None:
    """List the models that can be used, and mark the one in use.

    Example:
      twinlens model list
    """
    models = known_models()
    used = _used(session)
    if session.as_json:
        output.write_json(*({**model, "used": used.get(model["name"])} for model in models))
    else:
        rows = [(used.get(m["name"]) or "", str(m["name"]), _about(m)) for m in models]
        output.write_lines(output.columns(rows))


@command.command("use", cls=Command)
@click.argument("name")
@click.option(
    "--weights",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True),
    metavar="FILE",
    help="Take the model's weights from this safetensors file.",
)
@common
def use(name: str, weights: str | None, session: Session) -> None:
    """Embed the photos with another model from now on.

    The old model goes on answering until the new one has caught up; "twinlens scan" makes it.

    Example:
      twinlens model use pocket
      twinlens model use torchvision:resnet50 --weights ~/resnet50.safetensors
    """
    described = describe_model(name, weights)
    with session.open_to_write() as catalogue:
        model, again = _choose(catalogue, described, weights)
    if session.as_json:
        output.write_json({"name": model.name, "digest": model.digest, "photos_to_embed": again})
    elif again:
        photos = output.plural(again, "photo")
        output.write_lines([f"{model.name} is wanted. {photos} to embed again: twinlens scan"])
    else:
        output.write_lines([f"{model.name} is in use. Every photo has its numbers already."])


def _choose(
    catalogue: Catalogue, described: dict[str, Any], weights: str | None
) -> tuple[Any, int]:
    keys = ("name", "digest", "dimension", "input_size", "copy_threshold")
    return set_target(catalogue, **{key: described[key] for key in keys}, weights=weights)


def _used(session: Session) -> dict[str, str]:
    """Return what the library uses models for, by name; nothing where there is no library yet."""
    if not session.library.catalogue.exists():
        return {}
    with session.open_to_read() as catalogue:
        target, serving = get_model(catalogue, "target"), get_model(catalogue, "serving")
    used = {target.name: "wanted"} if target else {}
    return used | ({serving.name: "in use"} if serving else {})


def _about(model: dict[str, Any]) -> str:
    bundled = "bundled" if model.get("bundled") else ""
    words = (bundled, *(str(v) for k, v in model.items() if k not in ("name", "bundled")))
    return ", ".join(word for word in words if word and word != "None")
