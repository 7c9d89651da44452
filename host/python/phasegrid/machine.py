"""This build and this machine."""

from __future__ import annotations

from phasegrid import _core

__version__: str = _core.version


def devices() -> list[str]:
    """One line a device: what it offers, or why it cannot be used."""
    return _core.devices()
