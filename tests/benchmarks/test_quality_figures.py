"""The figures of the quality benchmark, on cases that can be worked out by hand."""

from __future__ import annotations

from pathlib import Path

import imagehash
import numpy as np
import pytest
from imagededup.methods import PHash
from PIL import ImageOps

from benchmarks.photos import picture
from benchmarks.quality import bursts, copies, crops, methods, similar
from benchmarks.quality.copies import NONE
from benchmarks.quality.edit import STRENGTHS
from benchmarks.quality.figures import as_json, share
from benchmarks.quality.lineup import Model
from benchmarks.quality.peers import HASHES, THUMBNAIL, with_inner
from benchmarks.quality.pictures import BadDataError, Picture
from benchmarks.quality.sizes import QUICK
from benchmarks.quality.store import fill

HERE = Path("nowhere")


def test_copies_by_hand():
    """Three queries with a match, one without: two are first, one of them above the stranger."""
    task = copies.Task(
        references=tuple(Picture(HERE / str(number)) for number in range(3)),
        queries=(
            Picture(HERE / "0", "jpeg", "mild"),
            Picture(HERE / "1", "jpeg", "strong"),
            Picture(HERE / "2", "emoji", "strong"),
            Picture(HERE / "9", "jpeg", "mild"),
        ),
        truth=np.array([0, 1, 2, NONE]),
    )
    similarity = np.array(
        [[0.9, 0.1, 0.1], [0.2, 0.6, 0.1], [0.5, 0.1, 0.4], [0.7, 0.1, 0.1]], np.float32
    )
    found = copies.judge(similarity, task, own_threshold=0.55)
    # In one list: .9 right, .7 wrong, .6 right, .5 wrong, .4 right, ...
    assert found.overall.queries == 3
    assert found.overall.r_at_1 == pytest.approx(2 / 3)
    assert found.overall.u_ap == pytest.approx((1 + 2 / 3 + 3 / 5) / 3)
    assert found.overall.recall == pytest.approx((1 / 3, 1 / 3))
    assert found.thresholds == pytest.approx((0.9, 0.9))
    assert found.at_own_threshold == pytest.approx((2 / 3, 2 / 3))
    assert found.by_kind["jpeg"].r_at_1 == 1.0
    assert found.by_kind["jpeg"].recall == pytest.approx((0.5, 0.5))
    assert found.by_kind["jpeg"].u_ap == pytest.approx((1 + 2 / 3) / 2)
    assert found.by_kind["emoji"].r_at_1 == 0.0
    assert found.by_maker["AugLy"].queries == 1
    assert found.by_edit["jpeg"]["strong"].recall == (0.0, 0.0)
    assert found.by_edit["jpeg"]["medium"].queries == 0
    assert list(found.by_kind) == ["jpeg", "emoji"]


def test_ties_count_against_a_method():
    """A method that gives everything the same score finds nothing."""
    task = copies.Task(
        (Picture(HERE / "0"), Picture(HERE / "1")),
        (Picture(HERE / "0", "jpeg", "mild"),),
        np.array([0]),
    )
    found = copies.judge(np.ones((1, 2), np.float32), task)
    assert found.overall.r_at_1 == 0.0
    assert found.overall.recall == (0.0, 0.0)
    assert found.thresholds == (None, None)


def test_similar_by_hand():
    """Two photos of one class, one stranger between them for one of the two."""
    similarity = np.array([[1, 0.5, 0.9], [0.5, 1, 0.1], [0.9, 0.1, 1]], np.float32)
    found = similar.judge(similarity, ("apple", "apple", "pear"))
    assert list(found.by_class) == ["apple"]
    assert found.overall.recall_at_1 == 0.5
    assert found.overall.mean_average_precision == pytest.approx((1 / 2 + 1) / 2)
    assert found.overall.map_at_r == 0.5
    assert found.overall.ndcg_at_10 == pytest.approx((1 / np.log2(3) + 1) / 2)


def test_bursts_by_hand():
    """A burst of three and a single frame: neighbours and all pairs above a threshold."""
    task = bursts.Task(
        frames=tuple(Picture(HERE / str(number)) for number in range(4)),
        bursts=np.array([0, 0, 0, 1]),
        times=np.array([0, 1, 2, 0]),
        others=(Picture(HERE / "other"),),
    )
    similarity = np.array(
        [
            [1.0, 0.9, 0.5, 0.2, 0.1],
            [0.9, 1.0, 0.7, 0.2, 0.1],
            [0.5, 0.7, 1.0, 0.2, 0.1],
            [0.2, 0.2, 0.2, 1.0, 0.1],
        ],
        np.float32,
    )
    found = bursts.judge(similarity, task, 0.8, 0.6)
    assert (found.next_above, found.all_above) == pytest.approx((1 / 2, 1 / 3))
    assert (found.next_above_copies, found.all_above_copies) == pytest.approx((1.0, 2 / 3))
    assert found.ndcg == pytest.approx(3 / 4)  # the single frame has nothing to gain
    worse = similarity.copy()
    worse[0, 4] = 0.95
    assert bursts.judge(worse, task, None, None).ndcg < found.ndcg
    assert bursts.judge(worse, task, None, None).next_above is None


def test_dealing_keeps_queries_without_a_match_out_of_the_references(tmp_path: Path):
    """No photo is dealt twice; every kind and strength comes up equally often."""
    _originals(tmp_path, 40)
    task = copies.build(tmp_path, QUICK, seed=1)
    references = {reference.path for reference in task.references}
    strangers = {q.path for q, row in zip(task.queries, task.truth, strict=True) if row == NONE}
    assert len(references) == QUICK.matched + QUICK.beside
    assert strangers
    assert not strangers & references
    for query, row in zip(task.queries, task.truth, strict=True):
        assert query.kind
        assert query.strength in STRENGTHS
        assert row == NONE or task.references[row].path == query.path
    matched = [query for query, row in zip(task.queries, task.truth, strict=True) if row != NONE]
    assert len(set(matched)) == len(matched) == QUICK.matched * QUICK.edits_each
    again = copies.build(tmp_path, QUICK, seed=1)
    assert again.queries == task.queries
    assert copies.build(tmp_path, QUICK, seed=2).queries != task.queries


def test_a_crop_without_its_photo_is_named(tmp_path: Path):
    """An incomplete folder is an error that names the file."""
    folder = tmp_path / "copies" / "crop_pairs"
    folder.mkdir(parents=True)
    for name in ("Faces_image_0001", "Faces_easy_image_0001", "Faces_easy_image_0002"):
        picture(1, (64, 48)).save(folder / f"{name}.jpg")
    with pytest.raises(BadDataError, match=r"Faces_easy_image_0002\.jpg: no pair"):
        crops.build(tmp_path, (), QUICK)


@pytest.mark.parametrize("content", [b"", b"no photo"])
def test_a_damaged_photo_is_named(tmp_path: Path, content: bytes):
    """A file that is no photo is an error that names it."""
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(content)
    with pytest.raises(BadDataError, match=r"bad\.jpg: no readable photo"):
        Picture(bad).open(seed=1)


def test_products_of_hashes_are_distances():
    """1 - 2 x Hamming distance / bits, as the libraries themselves count it."""
    first, second = picture(1, (120, 90)), picture(2, (120, 90))
    describers = {peer.name: peer.make() for peer in HASHES}
    rows = describers["pHash"]([first, second])
    distance = imagehash.phash(first) - imagehash.phash(second)
    assert 0 < distance < 64
    assert rows[0] @ rows[1] == 1 - 2 * distance / 64
    rows = describers["imagededup PHash"]([first, second])
    words = [
        PHash(verbose=False).encode_image(image_array=np.array(one)) for one in (first, second)
    ]
    assert rows[0] @ rows[1] == 1 - 2 * PHash.hamming_distance(*words) / 64
    for name, describe in describers.items():
        same = describe([first, first, second])
        assert same[0] @ same[1] == pytest.approx(1.0), name
        assert same[0] @ same[2] < 1.0, name


def test_the_best_turn_counts():
    """Of four turns of a query the most alike is taken."""
    references = np.eye(2, dtype=np.float32)
    query = np.array([[0.1, 0.2, 0.3, 0.9, 0.0, 0.1, 0.2, 0.0]], np.float32)
    assert methods.best_turn(query, references).tolist() == [
        pytest.approx([0.3, 0.9]),
    ]


def test_an_inner_picture_counts_a_little_less():
    """The best of whole and inner pictures is taken; what an inner one brings is worth less."""
    x, y, z = np.eye(3, dtype=np.float32)
    page = np.concatenate([x, y])[None]  # a page of y
    references = np.stack([np.concatenate(both) for both in ((x, x), (y, y), (z, y), (z, z))])
    less = 1 - methods.INNER_MARGIN
    found = methods.best_picture(page, references)
    assert found.tolist() == [pytest.approx([1, less, less, 0])]
    both = methods.best_picture(references[2:3], references)
    assert both.tolist() == [pytest.approx([0, less, 1, 1])]


def test_a_page_is_described_with_its_picture():
    """Whole and inner vectors stand in one row; a photo without a frame has the whole one twice."""
    photo = picture(1, (240, 180))
    framed = ImageOps.expand(photo, 40, "white")
    row = THUMBNAIL.make()([photo, framed])
    both = with_inner("both", THUMBNAIL).make()([photo, framed])
    assert np.array_equal(both[:, :192], row)
    assert np.array_equal(both[0, 192:], row[0])
    assert both[1, 192:] @ row[0] > 0.95 > both[1, :192] @ row[0]


def test_one_process_and_two_describe_the_same(tmp_path: Path):
    """How the work is shared changes no vector."""
    _originals(tmp_path, 6)
    files = sorted((tmp_path / "copies" / "originals").iterdir())
    photos = [Picture(path) for path in files] * 2
    asked = [Picture(path, "emoji", "strong") for path in files]
    one, two = (fill([THUMBNAIL], photos, asked, seed=1, processes=n) for n in (1, 2))
    assert one.of(THUMBNAIL.name, photos).shape == (12, 192)
    assert np.array_equal(one.of(THUMBNAIL.name, photos), two.of(THUMBNAIL.name, photos))
    assert np.array_equal(one.of(THUMBNAIL.name, asked), two.of(THUMBNAIL.name, asked))
    assert not np.array_equal(one.of(THUMBNAIL.name, asked), one.of(THUMBNAIL.name, photos[:6]))


def test_models_are_named_as_on_the_command_line():
    """`NAME` or `NAME=WEIGHTS`; two files of one name are told apart by their folder."""
    assert Model.parse("pocket") == Model("pocket")
    given = Model.parse("pocket=runs/b/pocket.safetensors")
    assert given == Model("pocket", Path("runs/b/pocket.safetensors"))
    assert given.label == "pocket (b/pocket.safetensors)"


def test_what_is_no_number_is_nothing():
    """A share of nothing leaves its cell empty and is null in JSON."""
    assert share(float("nan")) == share(None) == ""
    assert as_json({"a": (float("nan"), 0.5)}) == {"a": [None, 0.5]}


def _originals(folder: Path, count: int) -> None:
    target = folder / "copies" / "originals"
    target.mkdir(parents=True)
    for number in range(count):
        picture(100 + number, (96, 72)).save(target / f"photo_{number:03}.jpg")
