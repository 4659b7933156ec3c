"""Pairs of photos to fit the verifier to: of one shot, and of two that look as if they were.

From shared/data/train and shared/data/camera, and with edits that no benchmark of duplicates uses.
"""

import io
import multiprocessing
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from PIL import Image

from training.bursts import frames
from training.hard_edits import ALL, edited
from training.photos import squash
from training.twins import distinct
from twinlens_worker.decode.thumbnail import LONGEST_SIDE, QUALITY
from twinlens_worker.models.descriptor import load
from twinlens_worker.verify.compare import alignments
from twinlens_worker.verify.judge import judge
from twinlens_worker.verify.matches import Both
from twinlens_worker.verify.probability import MEASUREMENTS, measurements
from twinlens_worker.verify.sketch import Sketch

PHOTOS: Final = {"caltech": 900, "grocery": 300}
"""Photos that are edited; the others are only compared with what looks like them."""
TAKEN: Final = {"caltech": 1, "grocery": 3}
"""One photo of so many is taken: shelves look less alike than motorbikes of one studio."""
CAMERA_SIDES: Final = (640, 640, 300)
"""Longest sides at which the camera's photos are taken: they are few, and the only ones here that fill
a thumbnail."""
EDITS_EACH: Final = 4
BURSTS_EACH: Final = 2
NEAREST: Final = 2
"""Other photos that the descriptor finds most alike; compared with an edit of it as well."""
STUDIO: Final = ("Motorbikes", "airplanes")
"""Classes whose photos differ least from one another, and fool a judge most: compared with more of them."""
STUDIO_NEAREST: Final = 10
LEAST_SIDE: Final = 300
LEAST_BURST: Final = 90
"""Shortest side of a photo that two frames of a burst are made from."""
CROPS_OF_OTHERS: Final = ("crocodile", "flamingo", "cougar")
"""Classes of which the data holds heads and faces cut from its other photos: no two shots."""
MIRRORED_LATER: Final = "Leopards"
"""A class that holds each photo once more, mirrored, a hundred numbers later."""
TWINS: Final = (
    ("dalmatian_image_0050", "dalmatian_image_0061"),
    ("hedgehog_image_0001", "hedgehog_image_0010"),
    ("grand_piano_image_0041", "grand_piano_image_0053"),
    ("grand_piano_image_0004", "grand_piano_image_0014"),
    ("grand_piano_image_0004", "grand_piano_image_0006"),
    ("umbrella_image_0044", "umbrella_image_0057"),
    ("pigeon_image_0002", "pigeon_image_0006"),
    ("buddha_image_0022", "buddha_image_0028"),
    ("hawksbill_image_0050", "hawksbill_image_0051"),
    ("metronome_image_0005", "metronome_image_0011"),
    ("platypus_image_0015", "platypus_image_0022"),
    ("inline_skate_image_0027", "inline_skate_image_0030"),
    ("stop_sign_image_0043", "stop_sign_image_0056"),
    ("stop_sign_image_0049", "stop_sign_image_0056"),
    ("anchor_image_0011", "anchor_image_0015"),
    ("beaver_image_0026", "beaver_image_0033"),
    ("bonsai_image_0013", "bonsai_image_0113"),
    ("bonsai_image_0026", "bonsai_image_0092"),
    ("brain_image_0001", "brain_image_0048"),
    ("brain_image_0057", "brain_image_0058"),
    ("buddha_image_0008", "buddha_image_0040"),
    ("camera_image_0004", "camera_image_0018"),
    ("crab_image_0002", "crab_image_0019"),
    ("crayfish_image_0044", "crayfish_image_0048"),
    ("grand_piano_image_0003", "grand_piano_image_0046"),
    ("kangaroo_image_0056", "kangaroo_image_0072"),
    ("lamp_image_0011", "lamp_image_0018"),
    ("lobster_image_0001", "lobster_image_0004"),
    ("menorah_image_0083", "menorah_image_0084"),
    ("pagoda_image_0003", "pagoda_image_0031"),
    ("platypus_image_0004", "platypus_image_0008"),
    ("pyramid_image_0025", "pyramid_image_0047"),
    ("snoopy_image_0008", "snoopy_image_0015"),
    ("soccer_ball_image_0013", "soccer_ball_image_0058"),
    ("stop_sign_image_0019", "stop_sign_image_0047"),
    ("stop_sign_image_0019", "stop_sign_image_0048"),
    ("stop_sign_image_0031", "stop_sign_image_0047"),
    ("tick_image_0008", "tick_image_0036"),
    ("yin_yang_image_0010", "yin_yang_image_0011"),
    ("yin_yang_image_0010", "yin_yang_image_0012"),
    ("yin_yang_image_0011", "yin_yang_image_0012"),
    ("Motorbikes_image_0436", "Motorbikes_image_0446"),
    ("Motorbikes_image_0439", "Motorbikes_image_0442"),
    ("Motorbikes_image_0448", "Motorbikes_image_0449"),
    ("Motorbikes_image_0565", "Motorbikes_image_0634"),
)
"""Edits of one another, seen by eye among what a first fit was surest of: another ground, another crop."""
Rows = NDArray[np.float32]


@dataclass(frozen=True)
class Pair:
    """What was measured of two photos, one row for each way to align them."""

    one_shot: bool
    kind: str
    """The edit, ``burst``, ``alike``, or ``studio`` where it is alike but not among the nearest."""
    photo: str
    other: str
    """The photo that looks like it; empty where both are made from one."""
    rows: Rows


@dataclass(frozen=True)
class Job:
    """One photo and those that look most like it."""

    seed: int
    name: str
    photo: Image.Image
    alike: list[tuple[str, Image.Image]]
    is_edited: bool


def make(data: Path, seed: int, processes: int) -> Iterator[Pair]:
    """Yield the pairs that could be aligned."""
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for pairs in pool.imap(_pairs, _jobs(data, seed), chunksize=8):
            yield from (pair for pair in pairs if len(pair.rows))


def sketched(photo: Image.Image) -> Sketch:
    """Return what the verifier sees of a photo: its thumbnail."""
    small = photo.copy()
    small.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BILINEAR)
    stream = io.BytesIO()
    small.save(stream, "JPEG", quality=QUALITY)
    pixels = cv2.imdecode(np.frombuffer(stream.getvalue(), np.uint8), cv2.IMREAD_COLOR)
    assert pixels is not None
    return Sketch(np.asarray(pixels, np.uint8))


def _jobs(data: Path, seed: int) -> Iterator[Job]:
    rng = np.random.default_rng(seed)
    named = [*_training_photos(data / "train"), *_camera_photos(data / "camera")]
    names, photos = [name for name, _ in named], [photo for _, photo in named]
    drawn = _drawn(data / "train", rng)
    nearest = _nearest(photos, [name.startswith("camera/") for name in names])
    for row, (name, photo) in enumerate(named):
        count = STUDIO_NEAREST if name.startswith(STUDIO) else NEAREST
        alike = [(names[n], photos[n]) for n in nearest[row, :count]]
        is_edited = name in drawn or name.startswith("camera/")
        yield Job(1000 * seed + row, name, photo, alike, is_edited)


def _paths(folder: Path, kind: str) -> list[Path]:
    return sorted((folder / kind).iterdir())[:: TAKEN[kind]]


def _drawn(folder: Path, rng: Generator) -> set[str]:
    """Return the names of the photos that are edited."""
    names = {kind: [path.name for path in _paths(folder, kind)] for kind in PHOTOS}
    draws = (rng.choice(names[kind], count, replace=False) for kind, count in PHOTOS.items())
    return {str(name) for drawn in draws for name in drawn}


def _training_photos(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    for kind in PHOTOS:
        paths = _paths(folder, kind)
        photos = [Image.open(path).convert("RGB") for path in paths]
        # The data holds some twice, or mirrored.
        yield from ((paths[row].name, photos[row]) for row in distinct(photos))


def is_mislabelled(pair: Pair) -> bool:
    """Tell whether a pair of look-alikes is of one shot after all, which the data holds twice."""
    return not pair.one_shot and bool(pair.other) and are_one_shot(pair.photo, pair.other)


def are_one_shot(name: str, other: str) -> bool:
    """Tell whether the data holds two photos that are no two shots."""
    one, two = sorted(Path(each).stem for each in (name, other))
    if one.startswith(MIRRORED_LATER) and two.startswith(MIRRORED_LATER):
        return int(two[-4:]) - int(one[-4:]) == 100
    return one.startswith(CROPS_OF_OTHERS) or (one, two) in TWINS


def _camera_photos(folder: Path) -> Iterator[tuple[str, Image.Image]]:
    for side in CAMERA_SIDES:
        for path in sorted(folder.rglob("*")):
            photo = _camera_photo(path, side)
            if photo is not None:
                yield f"camera/{path.name}", photo


def _camera_photo(path: Path, side: int) -> Image.Image | None:
    try:
        image = Image.open(path)
        image.draft("RGB", (800, 800))
        photo = image.convert("RGB")
    except OSError:
        return None
    photo.thumbnail((side, side))
    return photo if max(photo.size) >= LEAST_SIDE else None


def _nearest(photos: list[Image.Image], camera: list[bool]) -> NDArray[np.int64]:
    """Return (N, STUDIO_NEAREST) by the descriptor; the camera's photos hold several of one shot."""
    model = load("pocket", device="cpu")
    info = model.info
    squares = [squash(photo, info.input_size) for photo in photos]
    parts = [model.embed(np.stack(squares[i : i + 64])) for i in range(0, len(squares), 64)]
    vectors = np.concatenate(parts)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    likeness = vectors @ vectors.T
    likeness[np.ix_(camera, camera)] = -np.inf
    np.fill_diagonal(likeness, -np.inf)
    return np.argsort(-likeness, axis=1)[:, :STUDIO_NEAREST]


def _pairs(job: Job) -> list[Pair]:
    cv2.setNumThreads(1)
    rng = np.random.default_rng(job.seed)
    sketch, name = sketched(job.photo), job.name
    others = [(other, sketched(photo)) for other, photo in job.alike]
    made = [
        Pair(False, _likeness(place), name, other, _measured(sketch, one))  # noqa: FBT003
        for place, (other, one) in enumerate(others)
    ]
    if not job.is_edited:
        return made
    for number, kind in enumerate(rng.choice(list(ALL), EDITS_EACH).tolist()):
        edit = sketched(edited(job.photo, kind, rng))
        made.append(Pair(True, kind, name, "", _measured(sketch, edit)))  # noqa: FBT003
        if number < len(others):
            other, one = others[number]
            made.append(Pair(False, _likeness(number), name, other, _measured(one, edit)))  # noqa: FBT003
    for _ in range(BURSTS_EACH if min(job.photo.size) > LEAST_BURST else 0):
        first, second = (sketched(frame) for frame in frames(job.photo, rng))
        made.append(Pair(False, "burst", name, "", _measured(first, second)))  # noqa: FBT003
    return made


def _likeness(place: int) -> str:
    """Return the kind of a pair of photos by how many are more alike."""
    return "alike" if place < NEAREST else "studio"


def _measured(a: Sketch, b: Sketch) -> Rows:
    both = Both(a, b)
    found = [judge(both, alignment) for alignment in alignments(both)]
    rows = [measurements(one) for one in found if one is not None]
    return np.array(rows, np.float32).reshape(-1, MEASUREMENTS)
