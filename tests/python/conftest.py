"""Where the things under test are: the program, given by ctest in PHASEGRID_PROGRAM, and the source tree."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def program() -> str:
    path = os.environ.get("PHASEGRID_PROGRAM", str(SOURCE / "build" / "phasegrid"))
    assert os.access(path, os.X_OK), f"{path}: no program; set PHASEGRID_PROGRAM"
    return path
