"""Where the things under test are: the program, given by ctest in PHASEGRID_PROGRAM, and the source tree."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program() -> str:
    path = os.environ.get("PHASEGRID_PROGRAM", str(SOURCE / "build" / "phasegrid"))
    assert os.access(path, os.X_OK), f"{path}: no program; set PHASEGRID_PROGRAM"
    return path


@pytest.fixture
def run_program(tmp_path: Path, program: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """run_program(*words): the program in the test's folder, with this Python's package."""

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PHASEGRID_PYTHON": sys.executable}
        return subprocess.run(
            [program, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    return run
