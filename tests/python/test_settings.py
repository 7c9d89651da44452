"""The settings table: what follows from it is up to date, and the program prints it."""

from __future__ import annotations

import importlib.util
import json
import subprocess

from conftest import SOURCE

import phasegrid
from phasegrid import _core
from phasegrid.sweep import SETTINGS

SPEC = importlib.util.spec_from_file_location("write_settings", SOURCE / "experiments" / "write_settings.py")
assert SPEC is not None and SPEC.loader is not None
write_settings = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(write_settings)


def test_what_is_written_from_the_table_is_that_of_this_build() -> None:
    """Write it anew: PYTHONPATH=build/python .venv/bin/python experiments/write_settings.py"""
    assert write_settings.TYPES.read_text() == write_settings.types()
    readme = write_settings.README.read_text()
    assert readme == write_settings.readme(readme)


def test_every_keyword_has_a_type_and_reads_back() -> None:
    assert list(phasegrid.Settings.__annotations__) == ["convention", *SETTINGS]
    sweep = phasegrid.Sweep(n_features=4, sparsity=0.5)
    for keyword, of in SETTINGS.items():
        if of.default is None:
            continue
        assert sweep.settings[keyword] == of.default
        for value in of.words if keyword != "decoder_init" else []:  # (which is of untied models)
            assert sweep.replace(**{keyword: value}).settings[keyword] == value  # type: ignore[misc]
        if of.axis and keyword not in ("momentum", "floor"):  # (of SGD, and of schedules)
            two = dict.fromkeys(("n_hidden", "n_experts", "top_k"), 2)
            other = {"loss_power": 4, "beta1": 0.5, "beta2": 0.5, **two}.get(keyword, 1)
            assert len(sweep.replace(**{keyword: [of.default, other]}).axes[keyword]) == 2  # type: ignore[misc]


def test_the_program_prints_the_table(program: str) -> None:
    said = {}
    for option in ("", "--json", "--markdown"):
        done = subprocess.run([program, "settings", *filter(None, [option])], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said[option] = done.stdout
    rows = json.loads(said["--json"])
    assert rows == json.loads(_core.settings())
    assert said["--markdown"] == _core.settings_markdown()
    assert all(row["key"] in said[""] and row["about"] in said[""] for row in rows)
    assert "train.learning_rate = 0.001   (may be an axis)\n" in said[""]
    refused = subprocess.run([program, "settings", "--json", "--markdown"], capture_output=True, text=True)
    assert refused.returncode == 2 and "--json" in refused.stderr
