"""Settings: who wins, what is refused, and how the refusal reads."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from twinlens.errors import ConfigError
from twinlens.settings import Settings, load_settings


def test_defaults_need_nothing(tmp_path: Path):
    """Without a file, a variable or a flag everything runs here, with no broker."""
    settings = load_settings({}, library=tmp_path / "none")
    assert settings.broker is None
    assert settings == Settings(library=tmp_path / "none")


def test_later_sources_win(tmp_path: Path):
    """A flag beats a variable, a variable beats the file, the file beats the default."""
    (tmp_path / "config.toml").write_text(
        "batch_size = 1\nmax_attempts = 2\nin_flight = 3\nsettle_seconds = 4"
    )
    environ = {"TWINLENS_BATCH_SIZE": "10", "TWINLENS_MAX_ATTEMPTS": "20"}
    settings = load_settings(environ, library=tmp_path, batch_size=100, device=None)
    assert settings.batch_size == 100
    assert settings.max_attempts == 20
    assert settings.in_flight == 3
    assert settings.settle_seconds == 4.0
    assert settings.device == "auto"


def test_library_follows_the_same_order(tmp_path: Path):
    """The library named by a variable beats the one in a config file; a flag beats both."""
    config = tmp_path / "twinlens.toml"
    config.write_text('library = "/from/file"')
    environ = {"TWINLENS_LIBRARY": "/from/variable"}
    assert load_settings({}, config=config).library == Path("/from/file")
    assert load_settings(environ, config=config).library == Path("/from/variable")
    flagged = load_settings(environ, config=config, library="/from/flag")
    assert flagged.library == Path("/from/flag")


def test_default_library_is_in_the_data_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """With nothing given, the library lies in the platform's data folder."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert load_settings({}).library == tmp_path / "twinlens"


def test_home_is_expanded_and_paths_are_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """``~`` is the home folder and a relative library is below the working directory."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    environ = {"TWINLENS_LIBRARY": "~/lib", "TWINLENS_MOUNTS": "nas=~/nas"}
    settings = load_settings(environ)
    assert settings.library == tmp_path / "lib"
    assert settings.mounts == {"nas": tmp_path / "nas"}
    assert load_settings({}, library="here").library == tmp_path / "here"


def test_mounts_from_file_and_environment(tmp_path: Path):
    """Mounts are a table in the file and ``name=/path:name=/path`` in the environment."""
    (tmp_path / "config.toml").write_text('[mounts]\nphotos = "/mnt/photos"\nscans = "/mnt/s"')
    expected = {"photos": Path("/mnt/photos"), "scans": Path("/mnt/s")}
    assert load_settings({}, library=tmp_path).mounts == expected
    environ = {"TWINLENS_MOUNTS": "photos=/mnt/photos:scans=/mnt/s"}
    assert load_settings(environ, library=tmp_path / "none").mounts == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("BATCH_SIZE", "many", "Not a valid int"),
        ("BATCH_SIZE", "3.7", "Not a valid int"),
        ("BATCH_SIZE", "0", "Must be at least 1"),
        ("LEASE_SECONDS", "nan", "Must be at least 1"),
        ("TOMBSTONE_DAYS", "-1", "Must be at least 0"),
        ("SETTLE_SECONDS", "-0.5", "Must be at least 0"),
        ("COPY_THRESHOLD", "95", "Must be from 0 to 1"),
        ("COPY_THRESHOLD", "nan", "Must be from 0 to 1"),
        ("THUMBNAILS", "maybe", "Not a valid bool"),
        ("MOUNTS", "photos", "Not a valid Mapping"),
        ("MOUNTS", "=/mnt", "Not a valid Mapping"),
        ("LIBRARY", "~nobody-of-that-name/x", "Not a valid Path"),
    ],
)
def test_bad_value_is_named(name: str, value: str, said: str, tmp_path: Path):
    """A value that cannot be used is refused with its name, itself and what is wanted."""
    environ = {"TWINLENS_LIBRARY": str(tmp_path), f"TWINLENS_{name}": value}
    with pytest.raises(ConfigError) as caught:
        load_settings(environ)
    message = str(caught.value)
    assert f"'{name.lower()}'" in message
    assert said in message
    assert "\n" not in message


def test_bad_value_in_file_names_the_file(tmp_path: Path):
    """A bad value in a config file is refused with the path of that file."""
    (tmp_path / "config.toml").write_text("batch_size = true")
    with pytest.raises(ConfigError, match=r"config\.toml: config 'batch_size' has value 'True'"):
        load_settings({}, library=tmp_path)


def test_unknown_key_in_file_is_refused(tmp_path: Path):
    """A misspelt setting is refused, not ignored."""
    (tmp_path / "config.toml").write_text("bath_size = 3")
    with pytest.raises(ConfigError, match="unknown setting 'bath_size'"):
        load_settings({}, library=tmp_path)


@pytest.mark.parametrize("content", [b"a = ", b"\xff\xfe", b"[a\n"])
def test_file_that_is_no_toml_is_refused(content: bytes, tmp_path: Path):
    """A config file that cannot be read as TOML is refused with its path."""
    (tmp_path / "config.toml").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config\.toml: cannot be read as TOML"):
        load_settings({}, library=tmp_path)


def test_named_file_must_exist(tmp_path: Path):
    """A config file that was asked for by name and is not there is an error."""
    with pytest.raises(ConfigError, match="no such config file"):
        load_settings({}, config=tmp_path / "absent.toml", library=tmp_path)


def test_empty_variable_is_unset(tmp_path: Path):
    """An empty variable, as compose files make them, counts as unset."""
    environ = {"TWINLENS_BROKER": "", "TWINLENS_BATCH_SIZE": "", "TWINLENS_LIBRARY": str(tmp_path)}
    assert load_settings(environ) == Settings(library=tmp_path)


def test_settings_are_frozen(tmp_path: Path):
    """Settings cannot be changed once built."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        load_settings({}, library=tmp_path).batch_size = 5  # type: ignore[misc]
