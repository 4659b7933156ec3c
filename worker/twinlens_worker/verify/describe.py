"""What was done to one of two photos of one shot, in fields and in words."""

from __future__ import annotations

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from twinlens import relations
from twinlens_worker.verify.judge import STRANGE_BELOW, Judgement
from twinlens_worker.verify.sketch import Sketch
from twinlens_worker.verify.surroundings import CONTINUED, DOUBTFUL, surroundings
from twinlens_worker.verify.transform import Transform, apply, in_pixels

WHOLE: Final = 0.95
"""Share of a frame from which all of it is there: alignments miss by a percent or two."""
UPRIGHT: Final = 1.5
"""Degrees of turn that are none."""
RESIZED: Final = 0.03
"""Difference in size that is none."""
OVERLAID: Final = 0.03
"""Share of the blocks that nothing explains from which something lies over the picture."""
GREY: Final = 5.0
COLOURED: Final = 12.0
"""Distance of the largest and the smallest channel, in 255 levels, that a twentieth of a picture's
places exceeds. Not the mean: a brown chair on a white page has 7, and of 224 photos made grey 28 %
had too little colour before to be told. Grey ones have 0."""
PALER: Final = 0.7
"""Share of the colour (mean distance of the channels, as the light leaves it) below which some was
taken away. Of 896 re-saves, down to quality 30 or a quarter of each side, none kept less than 0.8; of
224 photos at half their saturation none kept more than 0.57."""
BRIGHTER: Final = 12.0
CONTRAST: Final = 1.25

SIDES: Final = ("cropped", "framed", "greyed", "doubtful")
"""Fields that say to which of the two it was done, `a` or `b`; not for people."""

Done = dict[str, Any]


def describe(a: Sketch, b: Sketch, found: Judgement, sizes: tuple[int, int] | None) -> Done:
    """Return what was done; ``sizes`` are the pixels of both originals, where known.

    Order matters: it is that of the words.
    """
    pixels = in_pixels(a, b, found.transform)
    done = _turned(pixels) | _framed(a, b, found)
    if _overlaid(found):
        done["overlay"] = round(found.unexplained, 2)
    done |= _toned(a, b, found)
    if not done and sizes:
        ratio = (sizes[1] / sizes[0]) ** 0.5
        if abs(ratio - 1) > RESIZED:
            done["resized"] = round(ratio, 3)
    return done


def words(done: Done) -> str:
    """Return what was done in words: ``rotated 90, crop to 42 %, grey``."""
    return ", ".join(_phrase(name, value) for name, value in done.items() if name not in SIDES)


def _phrase(name: str, value: Any) -> str:  # noqa: ANN401
    if name == "rotated":
        return relations.turned(value)
    if name == "inset":
        return "set into a larger picture"
    if name in {"crop", "resized"}:
        return f"{name} to {100 * value:.0f} %"
    if name == "overlay":
        return f"something over {100 * value:.0f} %"
    return ", ".join(value) if name == "tone" else name


def _turned(pixels: Transform) -> Done:
    """Return the turn in degrees, clockwise, and whether it is mirrored (before it is turned)."""
    linear = pixels[:2, :2].copy()
    mirrored = bool(np.linalg.det(linear) < 0)
    if mirrored:
        linear[:, 0] *= -1
    angle = float(np.degrees(np.arctan2(linear[1, 0] - linear[0, 1], linear[0, 0] + linear[1, 1])))
    quarter = 90 * round(angle / 90)
    angle = quarter if abs(angle - quarter) < UPRIGHT else round(angle, 1)
    done: Done = {"rotated": angle % 360} if angle % 360 else {}
    return done | ({"mirrored": True} if mirrored else {})


def _framed(a: Sketch, b: Sketch, found: Judgement) -> Done:
    """Return what happened to the frame: cropped, or something put around it."""
    outer = {"a": found.share_a, "b": found.share_b}
    pictures = {"a": a, "b": b}
    back: Transform = np.asarray(np.linalg.inv(found.transform), np.float64)
    done: Done = {}
    for name, other in (("a", "b"), ("b", "a")):
        if outer[name] >= WHOLE:
            continue
        kind = surroundings(pictures[name], found.transform if name == "b" else back)
        if kind in {CONTINUED, DOUBTFUL}:
            done |= {"crop": round(outer[name], 2), "cropped": other}
            if kind == DOUBTFUL:
                done[DOUBTFUL] = name
        else:
            done |= {kind: True, "framed": name}
    return done


def _overlaid(found: Judgement) -> bool:
    """Tell whether something lies over the picture: nothing explains it, and it lies together."""
    strange = np.nan_to_num(found.agreeing, nan=1.0) < STRANGE_BELOW
    _, _, parts, _ = cv2.connectedComponentsWithStats(strange.astype(np.uint8))
    largest = parts[1:, cv2.CC_STAT_AREA].max() if len(parts) > 1 else 0
    return found.unexplained >= OVERLAID and bool(largest >= OVERLAID / 2 * max(found.places, 1))


def _toned(a: Sketch, b: Sketch, found: Judgement) -> Done:
    """Return what happened to colours and light, of b against a."""
    first, second = _same_view(a, b, found.transform)
    if not len(first):
        return {}
    chroma = [one.max(axis=1) - one.min(axis=1) for one in (first, second)]
    colours = [float(np.percentile(one, 95)) for one in chroma]
    if min(colours) < GREY and max(colours) > COLOURED:
        return {"grey": True, "greyed": "a" if colours[0] < colours[1] else "b"}
    means, spreads = [one.mean() for one in (first, second)], [one.std() for one in (first, second)]
    tone = []
    if abs(means[1] - means[0]) > BRIGHTER:
        tone.append("brighter" if means[1] > means[0] else "darker")
    contrast = spreads[1] / max(spreads[0], 1.0)
    if max(contrast, 1 / max(contrast, 0.01)) > CONTRAST:
        tone.append("more contrast" if contrast > 1 else "less contrast")
    left = chroma[1].mean() * means[0] / max(chroma[0].mean() * means[1], 0.01)
    if max(colours) > COLOURED and not PALER <= left <= 1 / PALER:
        tone.append("less colour" if left < 1 else "more colour")
    hue = (second.mean(axis=0) - means[1]) - (first.mean(axis=0) - means[0])
    if float(np.abs(hue).max()) > BRIGHTER / 2:
        tone.append("other colours")
    return {"tone": tone} if tone else {}


def _same_view(
    a: Sketch, b: Sketch, transform: Transform
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return (N, 3) colours of places that both show, first of a, then of b."""
    places = (np.stack(np.meshgrid(*2 * [np.arange(24)]), axis=-1).reshape(-1, 2) + 0.5) / 24
    there = apply(transform, places)
    inside = ((there > 0) & (there < 1)).all(axis=1)
    return _colours(a, places[inside]), _colours(b, there[inside])


def _colours(picture: Sketch, places: NDArray[np.float64]) -> NDArray[np.float32]:
    soft = cv2.blur(picture.picture, (9, 9))
    x, y = (places * picture.size).astype(int).T
    return np.asarray(soft[y, x], np.float32)
