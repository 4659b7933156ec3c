"""Going over from one model to another: which of the two answers meanwhile, in words.

An upgrade of twinlens brings another version of the bundled model. The library's index is of the
one before then, and nothing is wrong with it: it goes on answering until a worker, which a scan or
watch starts, has read the photos for the new one.
"""

from __future__ import annotations

from collections.abc import Callable

from twinlens.catalogue import Catalogue
from twinlens.models import DEFAULT_MODEL, Model, get_model, waiting
from twinlens.settings import Settings
from twinlens_plugin import shipped
from twinlens_plugin.options import Session
from twinlens_plugin.output import plural, remark


def is_outgrown(model: Model, settings: Settings, catalogue: Catalogue | None = None) -> bool:
    """Tell whether a model is the bundled one of another twinlens than this.

    A worker makes this one's the target as soon as it starts. Weights of the user's own are never
    outgrown. With ``catalogue`` it is known sooner.
    """
    if model.name != DEFAULT_MODEL or model.weights or settings.weights:
        return False
    ours = shipped.digest(catalogue)
    return ours is not None and ours != model.digest


def goes_over(catalogue: Catalogue, settings: Settings) -> bool:
    """Tell whether the model that answers is not the one that is wanted, or soon will be."""
    target, serving = (get_model(catalogue, role) for role in ("target", "serving"))
    if target is None or serving is None:
        return False
    return target != serving or is_outgrown(target, settings, catalogue)


def state(catalogue: Catalogue, settings: Settings, *, works: bool) -> str:
    """Return which index answers and what makes the new one, in a line; empty where nothing changes.

    ``works``: whether a worker has this library now.
    """
    if not goes_over(catalogue, settings):
        return ""
    return f"{_which(catalogue, settings)}. {_cure(catalogue, settings, works=works)}"


def remark_on(session: Session, catalogue: Catalogue) -> bool:
    """Say beside an answer that it is of the old index, where there will be a new one; tell whether."""
    text = now(session, catalogue)
    if text:
        remark(text)
    return bool(text)


def now(session: Session, catalogue: Catalogue) -> str:
    """Return ``state`` of a library as it is now."""
    return state(catalogue, session.settings, works=session.library.locked("worker"))


def _which(catalogue: Catalogue, settings: Settings) -> str:
    target, serving = _both(catalogue)
    if is_outgrown(target, settings, catalogue) or target.name == serving.name:
        old = f"another version of {serving.name} than this twinlens has"
    else:
        old = f"{serving.name}, not of {target.name} yet"
    return f"the index is of {old}; it goes on answering until the new one is made"


def _cure(catalogue: Catalogue, settings: Settings, *, works: bool) -> str:
    target, _ = _both(catalogue)
    waits = waiting(catalogue)
    if waits.away and not waits.here and not is_outgrown(target, settings, catalogue):
        return f"{plural(waits.away, 'photo')} for it are on disks that are away: bring them back, then: twinlens scan"
    return "That is under way: twinlens status" if works else "Make it: twinlens scan"


def _both(catalogue: Catalogue) -> tuple[Model, Model]:
    target, serving = (get_model(catalogue, role) for role in ("target", "serving"))
    assert target is not None
    assert serving is not None
    return target, serving


class Handover:
    """Says that photos are read again for another model, and when its index answers."""

    def __init__(
        self, catalogue: Catalogue, settings: Settings, say: Callable[[str], None]
    ) -> None:
        self._catalogue = catalogue
        self._settings = settings
        self._say = say
        self._goes = False

    def tick(self) -> None:
        """Say what is new."""
        goes = goes_over(self._catalogue, self._settings)
        if goes and not self._goes:
            self._say(self._begun())
        elif self._goes and not goes:
            self._say("the new index answers from now on")
        self._goes = goes

    def _begun(self) -> str:
        target, serving = _both(self._catalogue)
        if is_outgrown(target, self._settings, self._catalogue):
            sql = "SELECT count(*) FROM vectors WHERE model_id = ?"
            count = int(self._catalogue.value(sql, (serving.id,)))
        else:
            count = waiting(self._catalogue).here
        another = "another version of " if target.name == serving.name else ""
        return (
            f"{plural(count, 'photo is', 'photos are')} read again for {another}{target.name}."
            " Until that is done, the old index goes on answering"
        )
