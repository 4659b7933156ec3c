"""What a large pretrained network thinks of the training photos: the targets of distillation."""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from training.photos import PhotoSet
from twinlens_worker.models import descriptor

CHUNK = 256


def embed_set(name: str, weights: Path, photos: PhotoSet, cache: Path | None = None) -> Tensor:
    """Return the teacher's unit vectors (N, D) for clean photos, kept in `cache` if it is given.

    A photo and its mirror image get one target, their mean: to the student they are the same.
    """
    teacher = descriptor.load(name, weights=weights)
    key = (teacher.info.digest, photos.names)
    if cache and cache.exists():
        kept = torch.load(cache, weights_only=True)
        if tuple(kept["key"]) == key:
            return kept["vectors"]  # type: ignore[no-any-return]
    parts = [_embed(teacher, photos.pixels[i : i + CHUNK]) for i in range(0, len(photos), CHUNK)]
    vectors = torch.cat(parts)
    if cache:
        torch.save({"key": key, "vectors": vectors}, cache)
    return vectors


def _embed(teacher: descriptor.Descriptor, pixels: Tensor) -> Tensor:
    side = teacher.info.input_size
    large = F.interpolate(pixels.float(), (side, side), mode="bilinear", align_corners=False)
    upright = large.round().byte().permute(0, 2, 3, 1).numpy()
    both = teacher.embed(upright) + teacher.embed(np.ascontiguousarray(upright[:, :, ::-1]))
    return F.normalize(torch.from_numpy(both), dim=1)
