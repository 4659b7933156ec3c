"""The two views of a photo that the descriptor must call the same: nearly clean, and edited."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from training import geometry, pixels, sprites
from training.draw import Draw

OVERLAID: Final = 0.25
PATCHED: Final = 0.12
BLENDED: Final = 0.06


class Augmenter:
    """Makes views of one side length; all randomness comes in with the call."""

    def __init__(self, seed: int, *, overlays: int = 768, screens: int = 192) -> None:
        self._overlays = sprites.overlays(overlays, seed)
        self._screens = sprites.screens(screens, seed)

    def mild(self, draw: Draw, photos: Tensor, side: int) -> Tensor:
        """Views as a library holds them: u8 (N, 3, S, S) to f32 (N, 3, side, side) in 0..1."""
        views = geometry.mild(draw, photos.float() / 255, side)
        views = pixels.tone(draw, views, 0.15)
        views = pixels.soften(draw, views, 0.15)
        return pixels.compress(draw, views, 0.2)

    def strong(
        self,
        draw: Draw,
        photos: Tensor,
        aspects: Tensor,
        side: int,
        level: geometry.Difficulty = geometry.FIRST,
    ) -> Tensor:
        """Views as an editor, a messenger or a meme leaves them; same shapes as `mild`."""
        clean = photos.float() / 255
        views, inside = geometry.sample(clean, geometry.strong(draw, aspects, level), side)
        views = self._patch(draw, views)
        views = views * inside + self._ground(draw, views) * (1 - inside)
        early = draw.chance(0.5, len(views))
        views[early] = pixels.tone(draw, views[early], 0.6)
        views = self._overlay(draw, views)
        views[~early] = pixels.tone(draw, views[~early], 0.6)
        views = pixels.soften(draw, views, 0.3)
        views = pixels.noise(draw, views, 0.2)
        return pixels.compress(draw, views, 0.4)

    def _ground(self, draw: Draw, views: Tensor) -> Tensor:
        """What lies around a framed picture: a colour, a blurred picture or a screen."""
        count, _, side, _ = views.shape
        ground = draw.uniform(0, 1, count, 3, 1, 1).expand(-1, -1, side, side).clone()
        ground[draw.rows(0.25, count)] = 0.0
        ground[draw.rows(0.25, count)] = 1.0
        rows = draw.rows(0.15, count)
        if len(rows):
            small = F.interpolate(views[rows.flip(0)], (6, 6), mode="area")
            ground[rows] = F.interpolate(small, (side, side), mode="bilinear", align_corners=False)
        rows = draw.rows(0.3, count)
        if len(rows):
            chosen = self._screens[draw.integers(len(self._screens), len(rows))]
            ground[rows] = _resized(chosen, side)
        return ground

    def _overlay(self, draw: Draw, views: Tensor) -> Tensor:
        rows = draw.rows(OVERLAID, len(views))
        if not len(rows):
            return views
        chosen = self._overlays[draw.integers(len(self._overlays), len(rows))]
        sprite = _resized(chosen, views.shape[-1])
        opacity = sprite[:, 3:]
        views = views.clone()
        views[rows] = views[rows] * (1 - opacity) + sprite[:, :3] * opacity
        return views

    def _patch(self, draw: Draw, views: Tensor) -> Tensor:
        """Paste a part of another picture, or let one shine through."""
        count, _, side, _ = views.shape
        others = views.roll(1, dims=0)
        opacity = torch.zeros(count, 1, side, side)
        blended = draw.rows(BLENDED, count)
        opacity[blended] = draw.uniform(0.1, 0.35, len(blended), 1, 1, 1)
        for row in draw.rows(PATCHED, count).tolist():
            size = draw.uniform(0.2, 0.5, 2).mul(side).long()
            top, left = (draw.uniform(0, 1, 2) * (side - size)).long().tolist()
            opacity[row, :, top : top + int(size[0]), left : left + int(size[1])] = 1.0
        return views * (1 - opacity) + others * opacity


def _resized(pictures: Tensor, side: int) -> Tensor:
    scaled = pictures.float() / 255
    if scaled.shape[-1] == side:
        return scaled
    return F.interpolate(scaled, (side, side), mode="bilinear", align_corners=False, antialias=True)
