"""``twinlens model forget``: give up what is stored of a model that is not used any more."""

from __future__ import annotations

import click

from twinlens.forgetting import Stored, forget, stored_models
from twinlens_plugin import output
from twinlens_plugin.completing import known_to_library, unused_models
from twinlens_plugin.errors import ChildError
from twinlens_plugin.options import Command, Session, common


@click.command("forget", cls=Command)
@click.argument("name", shell_complete=known_to_library(unused_models))
@common
def forget_model(name: str, session: Session) -> None:
    """Delete the vectors, labels and index of a model that is not used any more.

    Photos stay, and so do downloaded weights. "twinlens model list" says which models are kept and
    what they take. To use one again later, every photo has to be read again.

    Example:
      twinlens model forget torchvision:resnet50
    """
    with session.open_to_read() as catalogue:
        known = stored_models(catalogue, session.library)
    found = [stored for stored in known if stored.model.name == name]
    unused = [stored for stored in found if stored.role is None]
    if not unused:
        raise ChildError(_nothing(name, found))
    with session.open_to_write() as catalogue:
        for stored in unused:
            forget(catalogue, session.library, stored.model)
    size = sum(stored.bytes for stored in unused)
    vectors = sum(stored.vectors for stored in unused)
    if session.as_json:
        output.write_json({"name": name, "vectors": vectors, "bytes": size})
    else:
        output.write_lines(
            [f"{name} is forgotten: {output.plural(vectors, 'vector')}, {output.megabytes(size)}."]
        )


def _nothing(name: str, found: list[Stored]) -> str:
    if found:
        return f"{name}: in use. Choose another first: twinlens model use NAME, then twinlens scan"
    return f"{name}: nothing is kept of such a model. See: twinlens model list"
