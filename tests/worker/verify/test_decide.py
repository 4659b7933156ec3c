"""Relations: pictures and metadata together."""

from __future__ import annotations

from PIL import Image

from tests.worker.verify.conftest import draw_scene, saved, sketched
from tests.worker.verify.test_compare import moved_scene
from twinlens_worker.verify.decide import Decision, File, Subject, decide
from twinlens_worker.verify.metadata import Metadata

NOON = "2026-05-01T12:00:00.10"


def decided(
    first: Image.Image,
    second: Image.Image,
    a: Subject | None = None,
    b: Subject | None = None,
    *,
    same_pixels: bool = False,
) -> Decision:
    """Return what two pictures are to each other."""
    return decide(
        a or Subject(),
        b or Subject(),
        lambda: (sketched(first), sketched(second)),
        lambda: same_pixels,
        0.9,
    )


def taken(moment: str | None, **more: object) -> Subject:
    """Return a content taken then."""
    return Subject(Metadata(moment, "Camera"), **more)  # type: ignore[arg-type]


def no_sketches():
    """Stand for pictures that nobody may ask for."""
    raise AssertionError("the pictures were opened")


def test_saved_again_is_a_copy():
    """Nothing was done to it but saving."""
    found = decided(draw_scene(1), saved(draw_scene(1), 50))
    assert found.kind == "copy"
    assert found.detail.words == "saved again"
    assert found.detail.score == 0.9


def test_an_edit_says_what_was_done():
    """In fields and in words."""
    found = decided(draw_scene(1), draw_scene(1).transpose(Image.Transpose.ROTATE_270))
    assert (found.kind, found.detail.words) == ("edit", "rotated 90")
    assert found.detail.done == {"rotated": 90}
    assert found.detail.overlap > 0.98


def test_same_pixels_need_every_pixel():
    """Equal thumbnails are a reason to look, not to believe."""
    subject = Subject(pixels=640 * 480, format="JPEG")
    photo = draw_scene(2)
    assert decided(photo, photo, subject, subject, same_pixels=True).kind == "same-pixels"
    assert decided(photo, photo, subject, subject, same_pixels=False).kind == "copy"


def test_every_pixel_is_read_only_where_it_can_be_the_same():
    """Other sizes, or thumbnails that differ, are no reason to decode two whole photos."""
    small = Subject(pixels=320 * 240, format="JPEG")
    large = Subject(pixels=640 * 480, format="JPEG")
    photo = draw_scene(2)
    assert decided(photo, photo, small, large, same_pixels=True).kind == "copy"
    assert decided(photo, saved(photo, 30), large, large, same_pixels=True).kind == "copy"


def test_raw_and_jpeg_beside_it_are_a_pair():
    """One folder, one stem, one moment: known without a look at the pictures."""
    raw = taken(NOON, files=(File(b"/p", b"IMG_1.CR2"),))
    jpeg = taken(NOON, files=(File(b"/p", b"img_1.jpg"),))
    found = decide(raw, jpeg, no_sketches)
    assert (found.kind, found.detail.words) == ("pair", "RAW + JPEG")


def test_raw_and_jpeg_of_other_moments_are_no_pair():
    """Cameras begin again at IMG_0001: the stem alone says nothing."""
    raw = taken("2026-05-01T12:00:00", files=(File(b"/p", b"IMG_1.CR2"),))
    jpeg = taken("2024-01-01T08:00:05", files=(File(b"/p", b"IMG_1.jpg"),))
    assert decided(draw_scene(3), draw_scene(13), raw, jpeg).kind == "similar"


def test_two_jpegs_of_one_stem_are_no_pair():
    """Nor are RAW and JPEG in other folders."""
    folder, other = File(b"/p", b"a.jpg"), File(b"/p", b"a.png")
    assert decided(draw_scene(3), draw_scene(3), Subject(files=(folder,)), Subject(files=(other,))).kind == "copy"  # fmt: skip
    raw = File(b"/q", b"a.cr2")
    assert decided(draw_scene(3), draw_scene(3), Subject(files=(folder,)), Subject(files=(raw,))).kind == "copy"  # fmt: skip


def test_something_that_moved_makes_it_a_burst():
    """Where no capture time speaks against it."""
    assert decided(draw_scene(3), moved_scene(3, 20)).kind == "burst"


def test_the_same_scene_on_another_day_is_similar():
    """A tripod that stood there for days gives no burst."""
    found = decided(
        draw_scene(3),
        moved_scene(3, 20),
        taken("2026-05-01T12:00:00"),
        taken("2026-05-04T12:00:03"),
    )
    assert (found.kind, found.detail.words) == ("similar", "the same scene, 3 days later")


def test_frames_that_look_the_same_are_told_by_their_times():
    """Two frames of a still life: no pixel moved, the clock did."""
    found = decided(
        draw_scene(4), saved(draw_scene(4), 90), taken(NOON), taken("2026-05-01T12:00:00.35")
    )
    assert found.kind == "burst"
    assert found.probability < 0.5


def test_a_copy_keeps_its_time():
    """The same time to the hundredth of a second changes nothing."""
    assert decided(draw_scene(4), saved(draw_scene(4), 60), taken(NOON), taken(NOON)).kind == "copy"


def test_flat_pictures_never_match_on_what_they_show():
    """Two black frames are not opened; only metadata could relate them."""
    black = Subject(flat=True)
    assert decide(black, black, no_sketches).kind == "similar"
    burst = Subject(Metadata(burst="A-1"), flat=True)
    assert decide(burst, burst, no_sketches).kind == "burst"


def test_other_scenes_are_similar():
    """What the descriptor brought up and nothing confirmed."""
    found = decided(draw_scene(5), draw_scene(15))
    assert (found.kind, found.detail.words) == ("similar", "looks alike")
    assert found.detail.transform is None or found.detail.overlap > 0
