"""The package's types, style and stub are in order."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from conftest import SOURCE

import phasegrid

PACKAGE = SOURCE / "host" / "python"


def run(*command: object, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=SOURCE,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_types(tmp_path: Path) -> None:
    run("mypy", "--cache-dir", tmp_path, "-p", "phasegrid", MYPYPATH=str(PACKAGE))
    run("mypy", "--cache-dir", tmp_path, "experiments/write_settings.py", MYPYPATH=str(PACKAGE))


def test_ruff() -> None:
    run("ruff", "check", "--no-cache", "host/python", "tests/python", "experiments")
    run("ruff", "format", "--no-cache", "--check", "host/python", "tests/python", "experiments")


def test_the_stub_is_that_of_this_build(tmp_path: Path) -> None:
    """Write it anew: PYTHONPATH=build/python .venv/bin/python -m nanobind.stubgen -m phasegrid._core -o FILE"""
    run("nanobind.stubgen", "-q", "-m", "phasegrid._core", "-o", tmp_path / "_core.pyi")
    assert (tmp_path / "_core.pyi").read_text() == (PACKAGE / "phasegrid" / "_core.pyi").read_text()


def test_every_public_name_is_there() -> None:
    for name in dir(phasegrid):
        assert getattr(phasegrid, name).__doc__ or name == "__version__", name


def test_pictures_and_files_need_no_compiled_part() -> None:
    code = "import sys, phasegrid, phasegrid.arrays; assert 'phasegrid._core' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
