"""``twinlens model use``: embed with another model from now on."""

from __future__ import annotations

from typing import Any

import click

from twinlens.catalogue import Catalogue
from twinlens.models import set_target
from twinlens_plugin import output
from twinlens_plugin.asking_worker import describe_model
from twinlens_plugin.options import Command, Session, common


@click.command("use", cls=Command)
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
