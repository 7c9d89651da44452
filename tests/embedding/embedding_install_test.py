"""phasegrid as other projects get it: installed and found by CMake or pkg-config, or as a part of their own build.

Usage: embedding_install_test.py BUILD SCRATCH CASE..., where the cases are names of tests. What is built in SCRATCH
stays there, so that a second run compiles only what changed.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
EMBEDDING = SOURCE / "experiments" / "embedding"
BUILD, SCRATCH = Path(sys.argv.pop(1)), Path(sys.argv.pop(1))
PREFIX = SCRATCH / "prefix"

# What a parent project had before must be what it has after.
PARENT = f"""
cmake_minimum_required(VERSION 3.25)
project(parent VERSION 7.8 LANGUAGES CXX)
set(CMAKE_CXX_STANDARD 17)
set(watched CMAKE_BUILD_TYPE CMAKE_CXX_STANDARD CMAKE_CXX_STANDARD_REQUIRED CMAKE_CXX_EXTENSIONS CMAKE_CXX_FLAGS
  CMAKE_POSITION_INDEPENDENT_CODE CMAKE_EXPORT_COMPILE_COMMANDS CMAKE_CUDA_ARCHITECTURES CMAKE_CUDA_STANDARD
  PROJECT_NAME PROJECT_VERSION)
foreach(name ${{watched}})
  set(before_${{name}} "${{${{name}}}}")
endforeach()
add_subdirectory({SOURCE} phasegrid)
foreach(name ${{watched}})
  if(NOT "${{${{name}}}}" STREQUAL "${{before_${{name}}}}")
    message(FATAL_ERROR "${{name}} was '${{before_${{name}}}}' and is '${{${{name}}}}'")
  endif()
endforeach()
foreach(property COMPILE_OPTIONS LINK_OPTIONS COMPILE_DEFINITIONS INCLUDE_DIRECTORIES)
  get_directory_property(value ${{property}})
  if(value)
    message(FATAL_ERROR "${{property}} is '${{value}}'")
  endif()
endforeach()
foreach(target phasegrid_cli host_test tiny_cpu phasegrid_example)
  if(TARGET ${{target}})
    message(FATAL_ERROR "target ${{target}} is built")
  endif()
endforeach()
add_executable(app {SOURCE}/experiments/example.cpp)
target_link_libraries(app PRIVATE phasegrid::phasegrid)
"""


def call(*words: object, **options: object) -> str:
    """Output of a command that must succeed."""
    result = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False, **options)
    if result.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, words))}: {result.returncode}\n{result.stdout}\n{result.stderr}")
    return result.stdout + result.stderr


def cached(name: str) -> str:
    """An entry of the build's CMake cache; "" where there is none."""
    for line in (BUILD / "CMakeCache.txt").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return line.partition("=")[2]
    return ""


def configure(source: Path, build: Path, *words: str) -> str:
    launcher = cached("CMAKE_CXX_COMPILER_LAUNCHER")
    return call("cmake", "-S", source, "-B", build, "-G", cached("CMAKE_GENERATOR"),
                f"-DCMAKE_CXX_COMPILER={cached('CMAKE_CXX_COMPILER')}", *words,
                *([f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}"] if launcher else []))


class Installed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        shutil.rmtree(PREFIX, ignore_errors=True)
        call("cmake", "--install", BUILD, "--prefix", PREFIX)
        cls.library = next(PREFIX.glob("lib*/**/libphasegrid.*")).parent

    def test_what_is_there(self):
        names = {str(path.relative_to(PREFIX)) for path in PREFIX.rglob("*") if path.is_file()}
        headers = {str(path.relative_to(SOURCE)) for path in (SOURCE / "include").rglob("*.h*")}
        self.assertEqual({name for name in names if name.startswith("include")}, headers)
        self.assertIn("include/phasegrid/phasegrid.h", headers)
        self.assertIn("bin/phasegrid", names)
        self.assertIn("phasegrid", call(PREFIX / "bin" / "phasegrid", "--version"))
        for path in self.library.rglob("*"):  # the prefix can be moved, and the source tree deleted
            if path.suffix in {".cmake", ".pc"}:
                self.assertNotIn(str(SOURCE), path.read_text(), path)

    def test_reproduce_reads_what_was_installed(self):
        moved = SCRATCH / "moved"
        shutil.rmtree(moved, ignore_errors=True)
        shutil.copytree(PREFIX, moved)
        sweep = moved / "share" / "phasegrid" / "experiments" / "fig5.toml"
        sweep.write_text("nonsense = 1\n")
        result = subprocess.run([moved / "bin" / "phasegrid", "reproduce", "fig5", "--out", SCRATCH / "fig5"],
                                capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 2)
        self.assertIn(f"{sweep}:1", result.stderr)

    def test_find_package(self):
        build = SCRATCH / "find_package"
        shutil.rmtree(build, ignore_errors=True)
        configure(EMBEDDING / "cpp", build, f"-DCMAKE_PREFIX_PATH={PREFIX}")
        call("cmake", "--build", build)
        output = call(build / "phase_boundary")
        self.assertIn("45 models in", output)
        self.assertEqual(output.count("represented from sparsity"), 9)
        for version, found in {"0.2.0": True, "0.1": False, "0.3": False, "1": False}.items():
            folder = SCRATCH / f"version_{version}"
            folder.mkdir(exist_ok=True)
            (folder / "CMakeLists.txt").write_text(
                "cmake_minimum_required(VERSION 3.25)\nproject(version LANGUAGES CXX)\n"
                f"find_package(phasegrid {version})\nmessage(STATUS \"found: ${{phasegrid_FOUND}}\")\n")
            self.assertIn(f"found: {int(found)}", configure(folder, folder / "build", f"-DCMAKE_PREFIX_PATH={PREFIX}"))

    def test_pkg_config(self):
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.library / "pkgconfig")}
        flags = call("pkg-config", "--cflags", "--libs", "phasegrid", env=environment).split()
        self.assertEqual(call("pkg-config", "--modversion", "phasegrid", env=environment).strip(),
                         cached("CMAKE_PROJECT_VERSION"))
        program = SCRATCH / "phases"
        call("gcc", "-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", EMBEDDING / "phases.c", "-o", program,
             *flags)
        output = call(program, env={**os.environ, "LD_LIBRARY_PATH": str(self.library)})
        self.assertEqual(output.count("loss 0."), 5)
        self.assertIn("25 of 25 models", output)


class AsAPart(unittest.TestCase):
    def test_add_subdirectory(self):
        """Shared, so that one build shows both; with the kernels of any x86-64 that this build has compiled."""
        folder = SCRATCH / "add_subdirectory"
        folder.mkdir(exist_ok=True)
        parent = folder / "CMakeLists.txt"
        if not parent.exists() or parent.read_text() != PARENT:
            parent.write_text(PARENT)
        configure(folder, folder / "build", "-DPHASEGRID_MACHINES=", "-DPHASEGRID_CUDA=OFF", "-DBUILD_SHARED_LIBS=ON",
                  f"-DPHASEGRID_KERNELS_FROM={BUILD}")
        call("cmake", "--build", folder / "build", "-j", os.cpu_count() or 1)
        self.assertEqual(call(folder / "build" / "app").count("loss"), 5)
        library = next((folder / "build").rglob("libphasegrid.so"))
        exported = call("nm", "-D", "--defined-only", library)
        header = (SOURCE / "include" / "phasegrid" / "phasegrid.h").read_text()
        declared = set(re.findall(r"^PHASEGRID_API [^;(]*?(phasegrid_\w+)\(", header, re.MULTILINE))
        self.assertGreater(len(declared), 15)
        for name in declared:
            self.assertIn(f" T {name}\n", exported)


if __name__ == "__main__":
    SCRATCH.mkdir(parents=True, exist_ok=True)
    unittest.main()
