"""Objects compiled for AVX2 and AVX-512 define no weak symbol outside their own namespace.

The linker keeps one copy of a weak (inline or template) function; were it an AVX-512 copy of, say, a std::vector
member, the whole program would die on an older CPU.
"""

import subprocess
import sys


def main() -> int:
    objects = [path for argument in sys.argv[1:] for path in argument.split(";") if path]
    if not objects:
        print("isolation_test: no objects given")
        return 1
    leaks = []
    for path in objects:
        listing = subprocess.run(["nm", "-C", "--defined-only", path], check=True, capture_output=True, text=True).stdout
        symbols = [line.split(maxsplit=2) for line in listing.splitlines()]
        if len(symbols) < 10:
            leaks.append(f"{path}: only {len(symbols)} symbols, is it an object of the kernels?")
        for _, kind, name in symbols:
            own = "phasegrid::avx512::" in name or "phasegrid::avx2::" in name
            sanitizer = "asan" in name or "ubsan" in name or "gcov" in name
            if kind in "WVu" and not own and not sanitizer and not name.startswith("DW.ref"):
                leaks.append(f"{path}: {name}")
    print("\n".join(leaks) or f"{len(objects)} objects, no leak")
    return 1 if leaks else 0


if __name__ == "__main__":
    sys.exit(main())
