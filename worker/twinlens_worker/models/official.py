"""torchvision's official weights: what there is, where its downloads lie, and fetching them."""

import errno
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import Final
from urllib.parse import urlparse

import torch
import torchvision
from torchvision.models import WeightsEnum

from twinlens_worker.models import weights as weight_files
from twinlens_worker.models.errors import (
    UnknownModelError,
    WeightsDamagedError,
    WeightsMissingError,
)

PREFIX: Final = "torchvision:"
STALLED_SECONDS: Final = 60.0
"""A server that sends nothing for so long has gone; torch alone would wait for ever."""
LEFT_SECONDS: Final = 3600.0
"""Age from which a partial download that nobody writes to was left by a killed process."""


def names() -> list[str]:
    """Every name that torchvision has a classifier for."""
    return [PREFIX + name for name in torchvision.models.list_models(module=torchvision.models)]


def weights_of(name: str) -> WeightsEnum:
    """Return the official weights of a classifier, the ones that torchvision takes for its best."""
    plain = name.removeprefix(PREFIX)
    try:
        if name not in names():
            raise ValueError(plain)
        return torchvision.models.get_model_weights(plain).DEFAULT
    except ValueError as error:
        raise UnknownModelError(
            f"{name}: torchvision {torchvision.__version__} has no such classifier; "
            "`twinlens model list` shows what there is"
        ) from error


def cached(weights: WeightsEnum) -> Path:
    """Return where torchvision keeps its download: the folder that `TORCH_HOME` decides."""
    return Path(torch.hub.get_dir()) / "checkpoints" / Path(urlparse(weights.url).path).name


def digest(name: str) -> str:
    """Return the sha256 of official weights that are already here. Raises WeightsMissingError."""
    return weight_files.digest(cached(weights_of(name)))


def fetch(name: str, weights: WeightsEnum) -> Path:
    """Return the file of official weights, downloaded when it is not here yet.

    torch shows its progress on a terminal and stays quiet elsewhere. Its file takes its name only
    when it is whole and its hash is the published one.
    """
    path = cached(weights)
    if path.is_file():
        _check_hash(path)
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_left_over(path)
        _download(weights, path)
    except RuntimeError as error:
        raise WeightsDamagedError(f"{weights.url}: arrived damaged ({error}); try again") from error
    except (OSError, HTTPException) as error:
        raise _not_fetched(name, path, error) from error
    return path


def _download(weights: WeightsEnum, path: Path) -> None:
    on_terminal = sys.stderr.isatty()
    if on_terminal:
        host, size = urlparse(weights.url).hostname, weights.meta.get("_file_size", 0)
        print(f"{path.name}: {size:,.0f} MB from {host}", file=sys.stderr)
    with _patience(STALLED_SECONDS):
        torch.hub.download_url_to_file(
            weights.url, str(path), _hash_prefix(path), progress=on_terminal
        )


def _not_fetched(name: str, path: Path, error: Exception) -> WeightsMissingError:
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return WeightsMissingError(f"{path}: {error.strerror}; make space and try again")
    if isinstance(error, PermissionError):
        return WeightsMissingError(
            f"{path.parent}: {error.strerror}; correct it, or set TORCH_HOME to another folder"
        )
    return WeightsMissingError(
        f"{name}: no way to its weights ({error}); connect once, "
        f"or put the file {path.name} from another computer into {path.parent}"
    )


def _hash_prefix(path: Path) -> str | None:
    """Return the first digits of the sha256, which torchvision writes into the file's name."""
    match = torch.hub.HASH_REGEX.search(path.name)
    return match.group(1) if match else None


def _check_hash(path: Path) -> None:
    """Refuse a file that somebody put here and that is not the published one."""
    prefix = _hash_prefix(path)
    if prefix and not weight_files.digest(path).startswith(prefix):
        raise WeightsDamagedError(
            f"{path}: damaged weights (not the published file); delete it, and it is fetched again"
        )


def _remove_left_over(path: Path) -> None:
    """Remove what a download that was killed (SIGKILL, power cut) has left behind."""
    for partial in path.parent.glob(f"{path.name}.*.partial"):
        try:
            if time.time() - partial.stat().st_mtime > LEFT_SECONDS:
                partial.unlink()
        except FileNotFoundError:
            continue  # its own process has just finished


@contextmanager
def _patience(seconds: float) -> Iterator[None]:
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)
