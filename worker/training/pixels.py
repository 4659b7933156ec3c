"""Changes to a view's pixels: tone, grey, blur, scaling, noise and JPEG, for batches at once."""

from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from training.draw import Draw

LUMA: Final = torch.tensor([0.299, 0.587, 0.114])
TO_YCC: Final = torch.tensor(
    [[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]]
)
"""JFIF (ITU-T T.871)."""
FROM_YCC: Final = torch.linalg.inv(TO_YCC)
LUMA_TABLE: Final = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56], [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99],
    ], dtype=torch.float32,
)  # fmt: skip
"""ITU-T T.81, table K.1; libjpeg scales it by quality."""
CHROMA_TABLE: Final = torch.full((8, 8), 99.0)
CHROMA_TABLE[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]], dtype=torch.float32
)
"""ITU-T T.81, table K.2."""


def _dct_matrix() -> Tensor:
    position = torch.arange(8, dtype=torch.float32)
    matrix = torch.cos((2 * position[None, :] + 1) * position[:, None] * torch.pi / 16) / 2
    matrix[0] /= 2**0.5
    return matrix


DCT: Final = _dct_matrix()


def tone(draw: Draw, images: Tensor, strength: float) -> Tensor:
    """Exposure, contrast, gamma, saturation and tint; some pictures turn grey."""
    count = len(images)
    gain = draw.uniform(-strength, strength, count, 1, 1, 1).exp()
    offset = draw.uniform(-0.25, 0.25, count, 1, 1, 1) * strength
    tint = draw.uniform(-0.3, 0.3, count, 3, 1, 1).mul(strength).exp()
    gamma = draw.uniform(-strength, strength, count, 1, 1, 1).exp()
    changed = ((images - 0.5) * gain + 0.5 + offset).mul(tint).clamp(1e-4, 1).pow(gamma)
    grey = (changed * LUMA.view(1, 3, 1, 1)).sum(1, keepdim=True)
    colour = draw.uniform(1 - strength, 1 + strength, count, 1, 1, 1).clamp(min=0)
    colour[draw.rows(0.25 * strength, count)] = 0.0
    changed = grey + (changed - grey) * colour
    touched = draw.chance(0.7, count).view(-1, 1, 1, 1)
    return torch.where(touched, changed, images).clamp(0, 1)


def soften(draw: Draw, images: Tensor, probability: float) -> Tensor:
    """Blur by one of three widths, or scale down and up again."""
    images = images.clone()
    kind = draw.integers(5, len(images))
    touched = draw.chance(probability, len(images))
    for number, sigma in enumerate((0.6, 1.2, 2.2)):
        rows = (touched & (kind == number)).nonzero().flatten()
        if len(rows):
            images[rows] = _gaussian(images[rows], sigma)
    for number, factor in ((3, 2.0), (4, 4.0)):
        rows = (touched & (kind == number)).nonzero().flatten()
        if len(rows):
            images[rows] = _down_and_up(images[rows], factor)
    return images


def noise(draw: Draw, images: Tensor, probability: float) -> Tensor:
    """Sensor noise of up to 12 % of the range."""
    rows = draw.rows(probability, len(images))
    if not len(rows):
        return images
    images = images.clone()
    spread = draw.uniform(0.01, 0.12, len(rows), 1, 1, 1)
    images[rows] = (images[rows] + draw.normal(1.0, *images[rows].shape) * spread).clamp(0, 1)
    return images


def compress(draw: Draw, images: Tensor, probability: float) -> Tensor:
    """JPEG at quality 5 to 90 with halved chroma, but for the lossless entropy coding."""
    rows = draw.rows(probability, len(images))
    if not len(rows):
        return images
    images = images.clone()
    images[rows] = _jpeg(images[rows], draw.uniform(5, 90, len(rows)))
    return images


def _jpeg(images: Tensor, quality: Tensor) -> Tensor:
    side = images.shape[-1]
    ycc = torch.einsum("ij,njhw->nihw", TO_YCC, images) * 255
    luma = _requantise(ycc[:, :1] - 128, _scaled(LUMA_TABLE, quality)) + 128
    chroma = _requantise(F.avg_pool2d(ycc[:, 1:], 2), _scaled(CHROMA_TABLE, quality))
    whole = torch.cat([luma, F.interpolate(chroma, (side, side), mode="nearest")], dim=1)
    return (torch.einsum("ij,njhw->nihw", FROM_YCC, whole) / 255).clamp(0, 1)


def _scaled(table: Tensor, quality: Tensor) -> Tensor:
    """Libjpeg's `jpeg_quality_scaling`, one table for each picture."""
    scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
    return (table * scale.view(-1, 1, 1)).clamp(min=1)


def _requantise(plane: Tensor, table: Tensor) -> Tensor:
    """Round the DCT coefficients of 8x8 blocks, (N, C, H, W) with H and W multiples of 8."""
    count, channels, height, width = plane.shape
    blocks = plane.view(count, channels, height // 8, 8, width // 8, 8).transpose(3, 4)
    step = table.view(count, 1, 1, 1, 8, 8)
    coefficients = ((DCT @ blocks @ DCT.T) / step).round() * step
    return (DCT.T @ coefficients @ DCT).transpose(3, 4).reshape(plane.shape)


def _gaussian(images: Tensor, sigma: float) -> Tensor:
    reach = int(2.5 * sigma + 0.5)
    offset = torch.arange(-reach, reach + 1, dtype=torch.float32)
    weights = (-(offset**2) / (2 * sigma**2)).exp()
    weights = (weights / weights.sum()).view(1, 1, -1).expand(3, 1, -1)
    padded = F.pad(images, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, weights.unsqueeze(2), groups=3)
    return F.conv2d(rows, weights.unsqueeze(3), groups=3)


def _down_and_up(images: Tensor, factor: float) -> Tensor:
    side = images.shape[-1]
    small = F.interpolate(images, (int(side / factor),) * 2, mode="area")
    return F.interpolate(small, (side, side), mode="bilinear", align_corners=False)
