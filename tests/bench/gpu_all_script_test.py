"""bench/gpu/all.sh with fake tools on the PATH: what it builds with, what it believes, what it reports.

The tree is a copy of bench/ with empty sweep files; cmake, nvcc, nvidia-smi and compute-sanitizer are fakes, and the
programs that the fake cmake "builds" do what a scenario says.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "bench" / "gpu"))
import summary

PLANTED = ("planted_out_of_bounds", "planted_race", "planted_barrier", "planted_uninitialised")
TESTS = ("gpu_test", "unfused_peer_test", "fused_moe_test")
BENCHMARKS = ("gpu_train", "rates_cuda", "fused_moe")

# Configuring writes a cache, building makes programs from $FAKE_PROGRAMS, installing makes the carried libraries.
CMAKE = r"""#!/bin/bash
case "$1" in
  --version) echo "cmake version 9.9" ;;
  --build)
    if [[ "$2" != */carried/* ]]; then mkdir -p "$2/programs" && cp "$FAKE_PROGRAMS"/* "$2/programs/"; fi ;;
  --install)
    mkdir -p "$PREFIX/lib" && touch "$PREFIX"/lib/lib{fmt,gtest,benchmark,zip,z}.a ;;
  -S)
    mkdir -p "$4" && printf 'fmt_DIR:PATH=%s/lib/cmake/fmt\n' "${FAKE_STRANGER:-$PREFIX}" >"$4/CMakeCache.txt" ;;
esac
"""

# Reports planted bugs in the words of the real tool, and, in a scenario, bugs of programs named in $FAKE_BUGS.
SANITIZER = r"""#!/bin/bash
tool=$2
while [ "${1#--}" != "$1" ]; do shift 2; done
name=$(basename "$1")
declare -A words=([memcheck]="Invalid __global__ write of size 4 bytes" [racecheck]="Error: Race reported between"
  [synccheck]="Barrier error detected." [initcheck]="Uninitialized __global__ memory read of size 4 bytes")
case "$name" in
  planted_*) echo "========= ${FAKE_WORDS:-${words[$tool]}}"; exit 99 ;;
esac
[[ " ${FAKE_BUGS:-} " != *" $tool:$name "* ]] || { echo "========= a bug"; exit 99; }
"$@"
"""


def executable(path: Path, text: str) -> None:
    """A script at `path` that may be run."""
    path.write_text(text)
    path.chmod(0o755)


class GpuAllScript(unittest.TestCase):
    """Each test is a scenario in a tree of its own."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name)
        self.tree = self.root / "tree"
        shutil.copytree(SOURCE / "bench" / "gpu", self.tree / "bench" / "gpu")
        (self.tree / "experiments").mkdir()
        for folder_name in ("cmake", "host", "include", "kernels", "tests"):
            (self.tree / folder_name).mkdir()
        (self.tree / "CMakeLists.txt").touch()
        for name in ("fig4_211", "table1"):
            (self.tree / "experiments" / f"{name}.toml").touch()
        (self.tree / ".carry" / "src").mkdir(parents=True)
        (self.tree / ".carry" / "include").mkdir()
        self.tools = self.root / "tools"
        self.programs = self.root / "programs"
        self.tools.mkdir()
        self.programs.mkdir()
        executable(self.tools / "cmake", CMAKE)
        for name in ("nvcc", "ninja", "c++"):
            executable(self.tools / name, "#!/bin/sh\necho release 13.0\n")
        executable(self.tools / "nvidia-smi", "#!/bin/sh\necho 9.0\n")
        executable(self.tools / "compute-sanitizer", SANITIZER)
        for name in PLANTED + TESTS + ("phasegrid",):
            self.program(name, "echo fine")
        for name in BENCHMARKS:
            self.benchmark(name, {"ran": name})
        self.out = self.root / "out"

    def program(self, name: str, body: str) -> None:
        """What the fake build makes under this name."""
        executable(self.programs / name, f"#!/bin/bash\n{body}\n")

    def benchmark(self, name: str, report: object) -> None:
        """A program that writes `report` where --out says."""
        self.program(name, f"while [ $# -gt 1 ]; do [ $1 = --out ] && echo '{json.dumps(report)}' >\"$2\"; shift; done")

    def run_part(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """The script, as the device machine would run it."""
        clean = {"PATH": f"{self.tools}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.root), "OUT": str(self.out)}
        clean |= {"CUDA_HOME": "/nonexistent", "FAKE_PROGRAMS": str(self.programs), "COMMIT": "abc123"}
        return subprocess.run(
            ["bash", str(self.tree / "bench" / "gpu" / "all.sh"), *arguments],
            capture_output=True,
            text=True,
            env=clean | environment,
            check=False,
            timeout=120,
        )

    def results(self, part: int) -> dict[str, object]:
        """The JSON that comes back."""
        loaded: dict[str, object] = json.loads((self.out / f"results_{part}.json").read_text())
        return loaded

    def statuses(self, part: int) -> dict[str, str]:
        """Status by step."""
        steps = self.results(part)["steps"]
        assert isinstance(steps, list)
        return {step["name"]: step["status"] for step in steps}

    def goal(self, part: int, name: str) -> dict[str, object]:
        """One goal of the results."""
        goals = self.results(part)["goals"]
        assert isinstance(goals, list)
        return next(goal for goal in goals if name in goal["name"])

    def test_all_is_well(self) -> None:
        done = self.run_part("1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(set(self.statuses(1).values()), {"ok"})
        self.assertLessEqual({*summary.GPU_TESTS, "figure4"}, set(self.statuses(1)))
        self.assertEqual(self.results(1)["commit"], "abc123")
        self.assertIs(self.goal(1, "gpu tests")["met"], True)
        self.assertIs(self.goal(1, "Figure 4, paper")["met"], True)
        done = self.run_part("3")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertLessEqual(set(summary.SANITIZERS), set(self.statuses(3)))
        self.assertIs(self.goal(3, "sanitizers")["met"], True)
        self.assertLessEqual(len(list(self.out.iterdir())), 4)  # of 8 files that may come back, of two parts
        self.assertLess(len(done.stdout), 12000)

    def test_a_deaf_tool_is_found_out(self) -> None:
        shutil.copy(self.tree / "bench" / "gpu" / "deaf_sanitizer.sh", self.tools / "compute-sanitizer")
        done = self.run_part("3")
        self.assertEqual(done.returncode, 1)
        for tool in ("memcheck", "racecheck", "synccheck", "initcheck"):
            self.assertEqual(self.statuses(3)[f"planted-{tool}"], "failed")
            self.assertEqual(self.statuses(3)[f"{tool}-tiny"], "skipped")
        self.assertRegex(done.stdout, r"planted-race\w+ +failed .*racecheck is deaf")
        self.assertIs(self.goal(3, "sanitizers")["met"], False)

    def test_a_tool_that_reports_something_else_is_deaf(self) -> None:
        self.run_part("3", FAKE_WORDS="internal error")
        self.assertEqual(self.statuses(3)["planted-memcheck"], "failed")

    def test_a_missing_tool_does_not_pass(self) -> None:
        (self.tools / "compute-sanitizer").unlink()
        done = self.run_part("3")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.statuses(3)["planted-initcheck"], "missing")
        self.assertIn("no compute-sanitizer", done.stdout)
        self.assertEqual(self.goal(3, "sanitizers")["read"], "not measured")

    def test_a_missing_planted_bug_does_not_pass(self) -> None:
        (self.programs / "planted_race").unlink()
        self.assertEqual(self.run_part("3").returncode, 1)
        self.assertEqual(self.statuses(3)["planted-racecheck"], "missing")
        self.assertEqual(self.statuses(3)["racecheck-tiny"], "skipped")

    def test_a_bug_of_ours_is_reported(self) -> None:
        done = self.run_part("3", FAKE_BUGS="racecheck:phasegrid")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.statuses(3)["racecheck-block"], "failed")
        self.assertEqual(self.statuses(3)["memcheck-block"], "ok")
        self.assertIn("racecheck-tiny failed", str(self.goal(3, "sanitizers")["read"]))
        self.assertRegex(done.stdout, r"--- racecheck-tiny\n========= a bug")

    def test_a_gpu_test_that_skips_has_not_passed(self) -> None:
        self.program("gpu_test", "echo 'Skipped: not run on a GPU: no driver'")
        done = self.run_part("1")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.statuses(1)["gpu_test"], "failed")
        self.assertIn("NOT MET", done.stdout)

    def test_a_failing_test_keeps_nothing_else_from_running(self) -> None:
        self.program("gpu_test", "echo boom; exit 3")
        done = self.run_part("1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("exit status 3: boom", done.stdout)
        self.assertEqual(self.statuses(1)["fused_moe_test"], "ok")

    def test_a_library_from_elsewhere_fails_the_build(self) -> None:
        done = self.run_part("1", FAKE_STRANGER="/usr")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.statuses(1), {"carried-libraries": "ok", "configure": "failed"})
        self.assertIn("fmt_DIR:PATH=/usr/lib/cmake/fmt", done.stdout)

    def test_a_missing_compiler_is_named(self) -> None:
        done = self.run_part("1", CXX="no-such-compiler")
        self.assertEqual(done.returncode, 1)
        self.assertIn("this machine has no no-such-compiler on the PATH", done.stdout)

    def test_without_the_carried_sources_it_says_what_to_do(self) -> None:
        shutil.rmtree(self.tree / ".carry")
        done = self.run_part("1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("run bench/gpu/carry.sh", done.stdout)

    def test_the_second_part_builds_only_what_has_changed(self) -> None:
        self.run_part("1")
        self.assertIn("build                        ok             0 s  there already", self.run_part("2").stdout)
        (self.tree / "host" / "new.cpp").touch()
        self.assertNotIn("there already", self.run_part("2").stdout)

    def test_benchmarks_and_goals(self) -> None:
        shutil.copy(SOURCE / "bench" / "gpu" / "deaf_sanitizer.sh", self.tree / "bench" / "compare_peers.py")
        peers = {"results": [{"peer": "jax", "case": "fig4_211", "samples_per_second": 1.0}]}
        (self.tree / "bench" / "compare_peers.py").write_text(
            "import sys\nopen(sys.argv[sys.argv.index('--out') + 1], 'w').write(" + repr(json.dumps(peers)) + ")\n"
        )
        self.benchmark("gpu_train", [{"case": "211", "floor_share": 0.5}, {"case": "323", "floor_share": 0.2}])
        self.run_part("1")
        done = self.run_part("2")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(self.statuses(2)["gpu_test"], "ok")  # the first part's steps stay in the table
        self.assertIs(self.goal(2, "Figure 4, paper")["met"], True)
        self.assertIs(self.goal(2, "everything")["met"], True)
        self.assertIs(self.goal(2, "best framework")["met"], True)
        self.assertIs(self.goal(2, "floor")["met"], False)
        self.assertIn("20.0 %", str(self.goal(2, "floor")["read"]))
        self.assertIn("NOT MET", done.stdout)
        reports = self.results(2)["reports"]
        assert isinstance(reports, dict)
        self.assertEqual(reports["fused_moe_paper"], {"ran": "fused_moe"})

    def test_what_is_missing_is_called_not_measured(self) -> None:
        (self.programs / "gpu_train").unlink()
        self.program("phasegrid", "echo broken; exit 1")
        done = self.run_part("2")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.statuses(2)["gpu_train"], "missing")
        self.assertEqual(self.statuses(2)["compare_peers"], "missing")
        self.assertEqual(self.statuses(2)["whole_paper"], "failed")
        self.assertEqual(self.statuses(2)["fused_moe_paper"], "ok")
        for name in ("Figure 4, paper", "everything", "floor", "best framework", "13 h", "gpu tests"):
            self.assertEqual(self.goal(2, name)["read"], "not measured", name)

    def test_without_a_gpu_only_a_rehearsal_is_content(self) -> None:
        for name in ("phasegrid", *BENCHMARKS):
            self.program(name, "echo 'x: no usable NVIDIA GPU or driver on this machine' >&2; exit 2")
        self.assertEqual(self.run_part("2").returncode, 1)
        self.assertEqual(self.statuses(2)["whole_paper"], "failed")
        self.run_part("--rehearse", "2", GPU_ALL_REHEARSING="1")
        self.assertEqual(self.statuses(2)["whole_paper"], "no-gpu")
        self.assertEqual(self.goal(2, "Figure 4, paper")["read"], "not measured")

    def test_a_part_out_of_time_names_what_it_leaves_out(self) -> None:
        done = self.run_part("1", GPU_ALL_SECONDS="4")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.statuses(1), {"carried-libraries": "skipped"})
        self.assertIn("no time left in part 1", done.stdout)

    def test_the_limits_of_a_part_fit_its_ten_minutes(self) -> None:
        (self.tree / "bench" / "compare_peers.py").write_text("")
        limits: dict[int, float] = {}
        for part in (1, 2, 3):
            self.run_part(str(part))
            steps = self.results(part)["steps"]
            assert isinstance(steps, list)
            # What is built takes its limit in part 1 alone.
            building = {"carried-libraries", "configure", "build"}
            limits[part] = sum(s["limit"] for s in steps if s["part"] == part and s["name"] not in building)
        self.assertLessEqual(limits[1] + 330, 570)
        self.assertLessEqual(limits[2], 570)
        self.assertLessEqual(limits[3], 570)

    def test_a_part_that_is_ended_leaves_what_it_reached(self) -> None:
        self.program("unfused_peer_test", "sleep 60")
        script = str(self.tree / "bench" / "gpu" / "all.sh")
        environment = {"PATH": f"{self.tools}:/usr/local/bin:/usr/bin:/bin", "HOME": str(self.root)}
        environment |= {"CUDA_HOME": "/nonexistent", "FAKE_PROGRAMS": str(self.programs), "OUT": str(self.out)}
        running = subprocess.Popen(["bash", script, "1"], env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        for _ in range(600):
            if (self.out / "results_1.json").exists() and "figure4" in self.statuses(1):
                break
            time.sleep(0.1)
        os.killpg(running.pid, signal.SIGKILL)
        running.wait()
        self.assertEqual(self.statuses(1)["figure4"], "ok")
        self.assertNotIn("fused_moe_test", self.statuses(1))

    def test_a_step_is_stopped_at_its_limit(self) -> None:
        script = "RESULTS=$1 LOGS=$1 PART=1 PART_LIMIT=60 REHEARSE=0; . bench/gpu/steps.sh; run_step slow 1 sleep 60"
        done = subprocess.run(["bash", "-c", script, "-", str(self.root)], cwd=self.tree, check=False, timeout=30)
        self.assertEqual(done.returncode, 124)
        (step,) = summary.read_steps(self.root / "steps.tsv")
        self.assertEqual((step.status, step.note), ("failed", "stopped at its limit of 1 s"))

    def test_anything_else_is_a_mistake(self) -> None:
        for arguments in ((), ("4",), ("1", "2"), ("all",)):
            done = self.run_part(*arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage:", done.stderr)

    def test_shellcheck_has_nothing_to_say(self) -> None:
        if shutil.which("shellcheck") is None:
            self.skipTest("shellcheck is not installed")
        scripts = sorted((SOURCE / "bench" / "gpu").glob("*.sh"))
        names = [str(path.relative_to(SOURCE)) for path in scripts]
        done = subprocess.run(["shellcheck", "-x", *names], cwd=SOURCE, capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 0, done.stdout)


class Steps(unittest.TestCase):
    """summary.py alone."""

    def test_a_line_with_other_fields_is_refused(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "steps.tsv"
            path.write_text("1\tname\tok\n")
            with self.assertRaisesRegex(ValueError, "must have 7 fields, not 3"):
                summary.read_steps(path)

    def test_a_group_with_a_part_left_out_is_not_met(self) -> None:
        steps = [
            summary.Step(1, "gpu_test", "ok", 0, 1, 9, ""),
            summary.Step(1, "fused_moe_test", "skipped", None, 0, 9, ""),
        ]
        goal = summary.group_goal(steps, "tests", "all", summary.GPU_TESTS)
        self.assertEqual((goal.met, goal.read), (False, "1 of 3 passed, the others not measured"))


if __name__ == "__main__":
    os.environ.pop("OUT", None)
    unittest.main()
