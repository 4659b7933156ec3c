"""``twinlens model``: which models are there, and which one is used? One module a subcommand."""

from __future__ import annotations

import click

from twinlens_plugin.commands.model.evaluate import evaluate
from twinlens_plugin.commands.model.forget import forget_model
from twinlens_plugin.commands.model.listing import list_models
from twinlens_plugin.commands.model.tune import tune
from twinlens_plugin.commands.model.use import use
from twinlens_plugin.options import Group


@click.group("model", cls=Group)
def command() -> None:
    """List the models that turn photos into numbers, or choose one.

    Example:
      twinlens model list
      twinlens model use torchvision:mobilenet_v3_large
    """


for _subcommand in (list_models, use, tune, evaluate, forget_model):
    command.add_command(_subcommand)
