"""Settings: a frozen dataclass built from defaults, a TOML file, the environment and flags.

Later sources win. Nothing is read at import; ``load_settings`` is called by each ``main``.
"""

from __future__ import annotations

import dataclasses
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from twinlens.errors import ConfigError, LibraryError

ENV_PREFIX = "TWINLENS_"
_NO_SETTINGS = ("TWINLENS_DATA", "TWINLENS_TEST_", "TWINLENS_DECODE_FAILPOINT")
"""Variables of the tests and benchmarks."""

CONFIG_NAME = "config.toml"
SIDECAR_STYLES = ("name", "stem")
TUNE = ("auto", "off")


@dataclasses.dataclass(frozen=True, slots=True)
class Settings:
    """All settings of one process."""

    library: Path
    """Folder that holds the catalogue, the index and the thumbnails. On a local disk."""

    broker: str | None = None
    """``redis://...`` to spread the work over several computers; unset: everything runs here."""

    mounts: Mapping[str, Path] = dataclasses.field(default_factory=dict)
    """Where this computer mounts each root, by root name, if not where the owner does."""

    settle_seconds: float = 2.0
    """A file is taken when two readings this far apart agree."""

    sweep_seconds: float = 300.0
    """Pause between full comparisons of disk and catalogue while watching."""

    poll_seconds: float = 30.0
    """The same for folders that give no events (network mounts)."""

    tombstone_days: float = 30.0
    """How long a deleted photo is remembered."""

    batch_size: int = 32
    """Photos embedded and committed together."""

    lease_seconds: float = 300.0
    """How long a worker may hold a photo before it is handed out again."""

    in_flight: int = 1024
    """Most photos handed to the broker at any time."""

    max_attempts: int = 3
    """Failed attempts after which a photo is put in quarantine."""

    decode_processes: int = 0
    """Decoder processes; 0: one for each core."""

    decode_seconds: float = 60.0
    """Longest time one photo may take to decode."""

    decode_megabytes: int = 2048
    """Address space of one decoder process, in MB (10^6 bytes)."""

    max_megapixels: int = 250
    """Images with more pixels are refused unless their format decodes at reduced scale."""

    thumbnails: bool = True
    """Whether to keep small previews in the cache."""

    device: str = "auto"
    """``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``."""

    weights: Path | None = None
    """The model's weights file on this computer, or a folder of such files, where the owner's path
    does not hold."""

    allow_torchscript: str | None = None
    """TorchScript programs that may run here, by sha256, with commas between."""

    copy_threshold: float | None = None
    """Cosine similarity from which two photos are called copies; unset: the model's own."""

    keep: str | None = None
    """Rules by which ``duplicates`` chooses keepers, as its option --keep has them."""

    snapshot_tail: int = 2000
    """Commits after which the index snapshot is renewed."""

    tune: str = "auto"
    """Whether the library is tuned by itself as it grows: ``auto`` or ``off``."""

    keyword_root: str = "twinlens"
    """Above all keywords that are written to sidecars; ``|`` between its levels."""

    sidecar_style: str = "name"
    """How new sidecars are called: ``name`` (photo.jpg.xmp) or ``stem`` (photo.xmp)."""

    @property
    def trusted(self) -> frozenset[str]:
        """The sha256 of the TorchScript programs that may run on this computer."""
        words = (self.allow_torchscript or "").split(",")
        return frozenset(word.strip().lower() for word in words if word.strip())


def default_library(environ: Mapping[str, str]) -> Path:
    """Return the library folder: ``TWINLENS_LIBRARY``, or the platform's data folder."""
    if named := environ.get(ENV_PREFIX + "LIBRARY"):
        return cast("Path", _convert("library", named, ENV_PREFIX + "LIBRARY"))
    import platformdirs

    return platformdirs.user_data_path("twinlens", appauthor=False)


def load_settings(
    environ: Mapping[str, str],
    *,
    config: Path | None = None,
    **flags: object,
) -> Settings:
    """Build the settings.

    Order, later wins: 1. defaults; 2. ``config`` or ``<library>/config.toml``; 3. environment
    variables ``TWINLENS_<NAME>``; 4. ``flags`` that are not None.

    Raises ConfigError with the name and the value that cannot be used, LibraryError for a file.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    library = (
        _convert("library", given["library"], "option")
        if "library" in given
        else default_library(environ)
    )
    values: dict[str, Any] = {"library": library}
    values |= _from_file(config, library)
    values |= _from_environment(environ)
    values |= {name: _convert(name, value, "option") for name, value in given.items()}
    values["library"] = values["library"].absolute()
    return _checked(Settings(**values))


def unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    """Yield what is wrong with variables that look like settings and are none; they are ignored."""
    known = [ENV_PREFIX + name.upper() for name in _fields()]
    for name in sorted(environ):
        if name.startswith(ENV_PREFIX) and name not in known and not name.startswith(_NO_SETTINGS):
            yield f"{name}: unknown setting, ignored.{_meant(name, known)} See docs/settings.md."


def _meant(name: str, known: Iterable[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1, 0.7)
    return f" Did you mean {close[0]}?" if close else ""


def _fields() -> dict[str, str]:
    return {field.name: str(field.type) for field in dataclasses.fields(Settings)}


def _from_file(config: Path | None, library: Path) -> dict[str, Any]:
    path = config or library / CONFIG_NAME
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if config is None:
            return {}
        raise ConfigError(f"{path}: no such config file. Check the path given.") from None
    except OSError as error:
        if config is None and library.exists() and not library.is_dir():
            raise LibraryError(
                f"{library}: is a file, no library folder. Choose another with --library."
            ) from error
        raise ConfigError(
            f"{path}: cannot be read: {error.strerror}. Check the path and its permissions."
        ) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as TOML: {error}. Correct the file.") from error
    if unknown := sorted(set(table) - set(_fields())):
        meant = _meant(unknown[0], _fields())
        raise ConfigError(f"{path}: unknown setting '{unknown[0]}'.{meant} See docs/settings.md.")
    return {name: _convert(name, value, str(path)) for name, value in table.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: _convert(name, environ[key], key)
        for name in _fields()
        if environ.get(key := ENV_PREFIX + name.upper(), "") != ""
    }


def _convert(name: str, value: object, source: str) -> Any:  # noqa: ANN401  one type a field
    """Turn ``value`` into the type of the field ``name``."""
    kind = _fields()[name].split(" | ")[0]
    try:
        match kind:
            case "int":
                return int(str(value))
            case "float":
                return float(str(value))
            case "bool":
                return _as_bool(value)
            case "Path":
                return Path(str(value)).expanduser()
            case "Mapping[str, Path]":
                return _as_mounts(value)
            case _:
                return str(value)
    except (ValueError, RuntimeError):  # RuntimeError: ~someone who has no home
        raise ConfigError(
            f"{source}: config '{name}' has value '{value}'. Not a valid {kind}."
        ) from None


def _as_bool(value: object) -> bool:
    words = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    try:
        return words[str(value).lower()]
    except KeyError:
        raise ValueError from None


def _as_mounts(value: object) -> Mapping[str, Path]:
    """Read ``{name = "/path"}`` or ``name=/path:other=/path`` (the environment's form)."""
    if isinstance(value, Mapping):
        pairs = [(str(name), str(path)) for name, path in value.items()]
    else:
        items = [part.partition("=") for part in str(value).split(":") if part]
        if any(not name or not path for name, _, path in items):
            raise ValueError
        pairs = [(name, path) for name, _, path in items]
    return {name: Path(path).expanduser() for name, path in pairs}


def _checked(settings: Settings) -> Settings:
    at_least = {
        "batch_size": 1,
        "max_attempts": 1,
        "in_flight": 1,
        "decode_processes": 0,
        "decode_megabytes": 64,
        "max_megapixels": 1,
        "snapshot_tail": 1,
        "tombstone_days": 0,
        "settle_seconds": 0,
        "sweep_seconds": 1,
        "poll_seconds": 1,
        "lease_seconds": 1,
        "decode_seconds": 1,
    }
    for name, least in at_least.items():
        if not getattr(settings, name) >= least:  # NaN fails too
            value = getattr(settings, name)
            raise ConfigError(f"config '{name}' has value '{value}'. Must be at least {least}.")
    if odd := sorted(word for word in settings.trusted if not is_sha256(word)):
        raise ConfigError(
            f"config 'allow_torchscript' has value '{odd[0]}'. Must be a sha256, 64 hexadecimal digits."
        )
    if settings.sidecar_style not in SIDECAR_STYLES:
        raise ConfigError(
            f"config 'sidecar_style' has value '{settings.sidecar_style}'."
            f" Must be one of: {', '.join(SIDECAR_STYLES)}."
        )
    if settings.tune not in TUNE:
        raise ConfigError(
            f"config 'tune' has value '{settings.tune}'. Must be one of: {', '.join(TUNE)}."
        )
    if not all(settings.keyword_root.split("|")):
        raise ConfigError(
            f"config 'keyword_root' has value '{settings.keyword_root}'."
            " Must be words with | between them, as photos|twinlens."
        )
    threshold = settings.copy_threshold
    if threshold is not None and not 0 <= threshold <= 1:  # 95, say, would find no copies at all
        raise ConfigError(
            f"config 'copy_threshold' has value '{threshold}'. Must be from 0 to 1, as 0.95."
        )
    return settings


def is_sha256(text: str) -> bool:
    """Tell whether a text is a sha256 in the one spelling that is stored: lower-case hexadecimal."""
    return re.fullmatch(r"[0-9a-f]{64}", text) is not None
