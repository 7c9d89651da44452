"""What the package's command lines share: a bad one is told in one line, with exit status 2."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Collection
from typing import NoReturn

from phasegrid.sentences import InputError, sentence


class Parser(argparse.ArgumentParser):
    """Reports a bad command line in one line."""

    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (see --help)")


def exit_status(
    program: str, work: Callable[[], object], needs: Collection[str], missing: str, interrupted: str = ""
) -> int:
    """0, or after one line about what a person can mend 2, or 130 after Ctrl-C where `interrupted` says what then.

    needs: packages that may not be installed; `missing` says so, with the {name} of one.
    """
    try:
        work()
    except ImportError as error:
        if (error.name or "").split(".")[0] not in needs:
            raise
        print(f"{program}: {missing.format(name=error.name)}", file=sys.stderr)
        return 2
    except ValueError as error:
        print(f"{program}: {sentence(str(error))}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        if not interrupted:
            raise
        print(f"{program}: {interrupted}", file=sys.stderr)
        return 130
    return 0
