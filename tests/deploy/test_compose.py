"""The compose file: valid, and what the several-computers set-up needs."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

TOP = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The parsed compose file."""
    loaded: dict[str, Any] = yaml.safe_load((TOP / "compose.yaml").read_text())
    return loaded


def _validate(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]
    return subprocess.run([*command, str(path)], capture_output=True, text=True, check=False)


def test_valid_by_the_compose_specification():
    """The file passes the compose specification's own JSON schema."""
    result = _validate(TOP / "compose.yaml")
    assert result.returncode == 0, result.stdout


def test_schema_check_can_fail(tmp_path: Path):
    """The check above refuses a service that the specification does not allow."""
    broken = tmp_path / "compose.yaml"
    broken.write_text("services:\n  redis:\n    imagee: redis\n")
    assert _validate(broken).returncode != 0


def test_redis_keeps_messages(compose: dict[str, Any]):
    """Redis has AOF, refuses rather than evicts, and wants a password."""
    command = shlex.join(compose["services"]["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "--requirepass '${REDIS_PASSWORD:?" in command


def test_every_service_has_a_health_check_and_restarts(compose: dict[str, Any]):
    """A service that hangs is seen, and one that dies comes back."""
    for name, service in compose["services"].items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name


def test_embed_reserves_a_gpu_and_sees_no_catalogue(compose: dict[str, Any]):
    """A remote embed worker needs the photos and the broker, nothing else."""
    embed = compose["services"]["embed"]
    [device] = embed["deploy"]["resources"]["reservations"]["devices"]
    assert "gpu" in device["capabilities"]
    assert not any("/library" in volume for volume in embed["volumes"])


def test_one_commit_worker_with_the_library(compose: dict[str, Any]):
    """The owner's side works on commit and query, and mounts the library."""
    commit = compose["services"]["commit"]
    assert commit["command"] == ["twinlens-worker", "--queues", "commit,query"]
    assert "library:/library" in commit["volumes"]


@pytest.mark.parametrize("service", ["watcher", "commit", "embed"])
def test_dockerfiles_exist_and_name_our_programs(compose: dict[str, Any], service: str):
    """Each build file is there, and each program is one that the package installs."""
    entry = compose["services"][service]
    assert (TOP / entry["build"]["dockerfile"]).is_file()
    assert f'{entry["command"][0]} = "' in (TOP / "pyproject.toml").read_text()
