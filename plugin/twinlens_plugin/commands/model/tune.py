"""``twinlens model tune``: fit the model to the photos of this library, or take that back."""

from __future__ import annotations

import time
from dataclasses import dataclass

import click

from twinlens import pairs, tunings
from twinlens.catalogue import Catalogue
from twinlens.errors import TuningError
from twinlens.models import Model, get_model
from twinlens_plugin import handover, output
from twinlens_plugin.interrupts import Interrupt
from twinlens_plugin.options import Command, Session, common
from twinlens_plugin.progress import Bar, read_progress
from twinlens_plugin.scanning import TICK_SECONDS, Hands


@dataclass(frozen=True, slots=True)
class _Outcome:
    model: Model
    photos: int | None
    """On how many it was fitted; None where tuning was switched off."""
    seconds: float
    """What fitting took."""
    copies_before: int
    copies: int
    """Pairs called copies, by looks."""
    in_use: bool


@click.command("tune", cls=Command)
@click.option("--off", is_flag=True, help="Compare photos untuned again, and stay with that.")
@click.option("--no-wait", is_flag=True, help="Leave the rest to the next scan or watch.")
@common
def tune(session: Session, *, off: bool, no_wait: bool) -> int:
    """Fit the model to the photos of this library, so that more copies are told from look-alikes.

    Nobody has to say what is a copy. It takes seconds, no photo is read again, and it can be taken
    back. Libraries of 1,000 photos and more are tuned by themselves, and again whenever they have
    doubled, unless the setting "tune" is "off".

    Example:
      twinlens model tune
      twinlens model tune --off
    """
    with session.open_existing() as catalogue, Interrupt() as interrupt:
        model = get_model(catalogue, "target")
        if model is None:
            raise TuningError("there is nothing to tune on yet. Run: twinlens scan FOLDER")
        going = handover.now(session, catalogue)
        if going and not off:
            raise TuningError(f"{model.name}: {going}. Tune it then")
        answers = get_model(catalogue, "serving") or model
        before = _copies(session, catalogue, answers)
        began = time.monotonic()
        photos = _decide(catalogue, model, off=off)
        seconds = time.monotonic() - began
        if going:  # the index of a model on its way out is not made anew: nothing to wait for
            in_use = tunings.serving_id(catalogue, answers) == tunings.OFF
        else:
            in_use = _is_in_use(catalogue, model)
            if not in_use and not no_wait:
                in_use = _wait(session, catalogue, model, interrupt)
        after = _copies(session, catalogue, answers)
        outcome = _Outcome(model, photos, seconds, before, after, in_use)
    _say(session, outcome)
    return interrupt.exit_code if interrupt.number else 0


def _decide(catalogue: Catalogue, model: Model, *, off: bool) -> int | None:
    if off:
        tunings.turn_off(catalogue, model)
        return None
    return tunings.refit(catalogue, model, now=time.time()).photos


def _wait(session: Session, catalogue: Catalogue, model: Model, interrupt: Interrupt) -> bool:
    """Have a worker index anew; return whether it was done before a signal came."""
    bar = Bar("Indexing anew")
    hands = Hands(session, catalogue, bar.say)
    try:
        while not _is_in_use(catalogue, model):
            hands.tick(read_progress(catalogue))
            if interrupt.wait(TICK_SECONDS):
                return False
    finally:
        bar.close()
        hands.stop()
    return True


def _is_in_use(catalogue: Catalogue, model: Model) -> bool:
    return tunings.serving_id(catalogue, model) == tunings.wanted_id(catalogue, model)


def _copies(session: Session, catalogue: Catalogue, model: Model) -> int:
    threshold = pairs.copy_threshold(session.settings, model)
    return int(
        catalogue.value(
            "SELECT count(*) FROM pairs WHERE model_id = ? AND score >= ?", (model.id, threshold)
        )
    )


def _say(session: Session, outcome: _Outcome) -> None:
    threshold = pairs.copy_threshold(session.settings, outcome.model)
    if session.as_json:
        output.write_json(
            {
                "model": outcome.model.name,
                "tuned": outcome.photos is not None,
                "photos": outcome.photos,
                "seconds": round(outcome.seconds, 3),
                "copy_threshold": threshold,
                "copies_before": outcome.copies_before,
                "copies": outcome.copies if outcome.in_use else None,
                "in_use": outcome.in_use,
            }
        )
        return
    done = f"{outcome.model.name} is untuned"
    if outcome.photos is not None:
        photos = output.plural(outcome.photos, "photo")
        done = f"{outcome.model.name} is tuned on {photos} ({outcome.seconds:.1f} s)"
    if outcome.in_use:
        found = output.plural(outcome.copies, "pair")
        rest = f"{found} of {threshold:.2f} and more, {outcome.copies_before:,} before."
    else:
        rest = (
            "Until the next twinlens scan or watch has indexed the photos, the old index answers."
        )
    output.write_lines([f"{done}. {rest}"])
