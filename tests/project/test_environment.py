"""environment.sh: which Python it accepts, and how uv reaches packages."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from autograder.engine import doctor
from tests.support import ROOT

SUPPORTED = re.search(r'requires-python = ">=3\.(\d+),<3\.(\d+)"', (ROOT / "pyproject.toml").read_text())


def test_every_place_that_names_the_supported_pythons_agrees():
    oldest, newest = int(SUPPORTED[1]), int(SUPPORTED[2]) - 1
    assert ((3, oldest), (3, newest)) == (doctor.OLDEST, doctor.NEWEST)
    for name in ("README.md", "CONTRIBUTING.md"):
        assert f"Python 3.{oldest} to 3.{newest}" in (ROOT / name).read_text()


def fake_python(folder: Path, version: str) -> Path:
    """An interpreter that claims a version and answers environment.sh's questions."""
    path = folder / f"python{version}"
    path.write_text(f"""#!/bin/sh
exec {os.sys.executable} -c 'import sys; sys.version_info = ({version.replace(".", ", ")}, 0, "final", 0); exec(sys.argv[1])' "$2"
""")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("minor", "right"),
    [(SUPPORTED[1], True), (int(SUPPORTED[2]) - 1, True), (SUPPORTED[2], False), (10, False), (9, False)],
)
def test_a_python_that_is_not_supported_is_refused_in_a_sentence(tmp_path, minor, right):
    environment = os.environ | {"PYTHON": str(fake_python(tmp_path, f"3.{minor}"))}
    command = ["bash", str(ROOT / "environment.sh"), "system"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if right:
        assert done.returncode == 0, done.stderr
    else:
        assert done.returncode == 1
        assert re.search(r"is not a Python from 3\.\d+ to 3\.\d+: name one that is\.$", done.stderr)


def settings(folder: Path, text: str, **environment: str) -> dict[str, str]:
    """The settings that environment.sh gives uv on a machine with this pip configuration."""
    (folder / "pip.conf").write_text(text)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PIP_", "UV_", "SSL_", "ALL_PROXY"))}
    done = subprocess.run(
        ["bash", str(ROOT / "environment.sh"), "settings-of-pip"],
        env=kept | {"HOME": str(folder), "PIP_CONFIG_FILE": str(folder / "pip.conf"), **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in done.stdout.splitlines())


def test_uv_takes_packages_from_where_pip_does(tmp_path):
    (tmp_path / "wheels").mkdir()
    told = settings(
        tmp_path,
        f"""
[global]
index-url = https://packages.example.org/simple
find-links = {tmp_path}/wheels {tmp_path}/nowhere https://packages.example.org/more
timeout = 30
[install]
trusted-host = packages.example.org
cert = /etc/example.pem
""",
    )
    assert told["UV_DEFAULT_INDEX"] == "https://packages.example.org/simple"
    assert told["UV_FIND_LINKS"] == f"{tmp_path}/wheels,https://packages.example.org/more"
    assert told["UV_INSECURE_HOST"] == "packages.example.org"
    assert told["SSL_CERT_FILE"] == "/etc/example.pem"
    assert told["UV_HTTP_TIMEOUT"] == "30"


def test_several_indexes_count_as_one_for_pip_and_uv(tmp_path):
    told = settings(
        tmp_path, "[global]\nextra-index-url =\n  https://one.example.org/simple\n  https://two.example.org/simple\n"
    )
    assert told["UV_INDEX"] == "https://one.example.org/simple https://two.example.org/simple"
    assert told["UV_INDEX_STRATEGY"] == "unsafe-best-match"


def test_the_environment_overrides_a_file_and_uvs_own_settings_override_both(tmp_path):
    file = "[global]\nindex-url = https://file.example.org/simple\n"
    named = {"PIP_INDEX_URL": "https://pip.example.org/simple"}
    assert settings(tmp_path, file, **named)["UV_DEFAULT_INDEX"] == "https://pip.example.org/simple"
    assert "UV_DEFAULT_INDEX" not in settings(tmp_path, file, **named, UV_DEFAULT_INDEX="https://uv.example.org/simple")
