"""What the pictures refuse."""

from __future__ import annotations

from phasegrid.sentences import InputError as InputError
