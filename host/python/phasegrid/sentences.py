"""What every error of the package passes on its way out."""

from __future__ import annotations

import re

_BREAKS = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029]+")
_GAP = " ... "
_TAIL = 100


def sentence(text: str, most: int = 280) -> str:
    """A text as an error shows it, whatever file names and keys went into it: one line without control characters.

        sentence("two\\nlines")  # 'two lines'

    A text of more than `most` characters loses its middle, for its beginning names the thing and its end says what is
    allowed. (include/phasegrid/error.hpp does the same for what the compiled part says.)
    """
    line = _BREAKS.sub(" ", text).encode(errors="replace").decode().strip()
    tail = min(_TAIL, most // 3)
    return line if len(line) <= most else line[: most - tail - len(_GAP)] + _GAP + line[-tail:]


class InputError(ValueError):
    """Something a person can mend: one sentence that names the thing and what is allowed."""

    def __init__(self, text: str) -> None:
        super().__init__(sentence(text))
