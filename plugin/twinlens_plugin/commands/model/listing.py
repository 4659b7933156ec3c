"""``twinlens model list``: which models can be used, and which one is?"""

from __future__ import annotations

from typing import Any

import click

from twinlens.models import get_model
from twinlens_plugin import output
from twinlens_plugin.asking_worker import known_models
from twinlens_plugin.options import Command, Session, common


@click.command("list", cls=Command)
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
