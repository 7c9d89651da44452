# phasegrid's front door. What a fresh Debian machine lacks is installed: for a figure by `make deps-figures`, for all else
# by `make deps`. The others call them.
PRESET ?= quick
OUT ?= out/fig4
PAPER ?= out/paper
FIELD ?= out/field
BUILD ?= build
JOBS ?= $(shell nproc)
KILLS ?= 1000
# The authors' files, where they are at hand: the pictures then stand beside theirs, and a table compares the two.
SCORE ?= paper
REFERENCE ?= $(wildcard ../shared/reference)

APT_FIGURES = g++ cmake ninja-build pkg-config librandom123-dev libcli11-dev libtomlplusplus-dev libzip-dev libdeflate-dev \
              libfmt-dev nlohmann-json3-dev python3-venv
APT = $(APT_FIGURES) libgtest-dev libbenchmark-dev python3-dev chromium valgrind clang shellcheck openmpi-bin slurmctld slurmd \
      slurm-client munge
# What is built for the machine at hand, to look at a figure: its best instruction set and the baseline, and CUDA for the
# GPU that is there; of programs that one alone. The tests build everything.
HERE = -DPHASEGRID_HERE=ON
FIGURES = -DPHASEGRID_TESTS=OFF -DPHASEGRID_BENCH=OFF -DPHASEGRID_PYTHON_MODULE=OFF
WHOLE = -DPHASEGRID_TESTS=ON -DPHASEGRID_BENCH=ON -DPHASEGRID_PYTHON_MODULE=ON -DPHASEGRID_PYTHON=$(abspath $(PYTHON))
# Everything is built for one kind of GPU, whose PTX newer ones take too; a wheel for both, which takes ptxas twice as long.
EVERY_CPU = -DPHASEGRID_MACHINES="avx512;avx2" -DPHASEGRID_CUDA=AUTO
ALL = $(EVERY_CPU) -DCMAKE_CUDA_ARCHITECTURES=90
WHEEL = $(EVERY_CPU) -DCMAKE_CUDA_ARCHITECTURES="80-real;90"
CONFIGURE = cmake -S . -B $(BUILD) -G Ninja

VENV = .venv
PYTHON = $(VENV)/bin/python

.PHONY: help deps deps-figures build everything fig4 paper field test kill kill-workers wheel bench sanitize sanitize-host \
  coverage fuzz ptx ptx-mutations ptx-counts peers clean

help:
	@echo "make fig4               train Figure 4's eight architectures (preset quick, about a minute) and draw them to $(OUT)"
	@echo "make fig4 PRESET=paper  the same on the paper's full grid (about ten minutes on two cores)"
	@echo "make paper              reproduce every figure and table at preset paper (under an hour) into $(PAPER)/REPRODUCTION.md"
	@echo "make paper PRESET=quick the same, small: about two minutes"
	@echo "make field              other people's works on toy models, trained again, at preset paper into $(FIELD)/FIELD.md, and a site of them"
	@echo "make field PRESET=quick the same, small: a few minutes"
	@echo "make test               build, then run every test"
	@echo "make kill               runs that are ended at $(KILLS) random moments: nothing finished may be lost"
	@echo "make kill-workers       $(WORKERS) workers of every engine (Dask, Ray, MPI, processes) are killed: the bytes stay"
	@echo "make build              build the library, the program and the tests in $(BUILD)/, for this machine"
	@echo "make everything         the same for every instruction set, and CUDA where there is nvcc, as make test does"
	@echo "make wheel              the Python package for this platform, in out/wheel/"
	@echo "make bench              ns per sample of every architecture, on the CPU, and the share of its peak"
	@echo "make sanitize           the tests under AddressSanitizer and UBSan, then under ThreadSanitizer"
	@echo "make sanitize-host      its part for host, files and program: a few minutes"
	@echo "make coverage           lines of kernels/ that the tests execute"
	@echo "make fuzz               what reads files, under libFuzzer for ten minutes (SECONDS=600), where there is clang"
	@echo "make ptx                the compiled PTX of every kernel, executed and compared with the CPU's bits, where there is nvcc"
	@echo "make ptx-mutations      how many of changed kernels that notices"
	@echo "make ptx-counts         instructions of a sample, by kind, of Figure 4's shapes and the block mapping's"
	@echo "make peers              JAX and PyTorch, to run bench/compare_peers.py and the tests of to_torch (bench/peers/README.md)"
	@echo "make deps               install what is missing (apt, pip); the others call it, fig4 and paper a smaller one"

# apt_install PACKAGES: asks the package manager only for what is missing.
define apt_install
@missing="$$(for p in $(1); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || echo $$p; done)"; \
if [ -n "$$missing" ]; then \
  echo "installing: $$missing"; \
  as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
  $$as_root apt-get update -qq && DEBIAN_FRONTEND=noninteractive $$as_root apt-get install -y -qq $$missing; \
fi
endef
PIP = $(VENV)/bin/pip install -q --disable-pip-version-check

deps-figures: $(VENV)/figures-installed
	$(call apt_install,$(APT_FIGURES))

deps: $(VENV)/tests-installed
	$(call apt_install,$(APT))
	@if command -v nvcc >/dev/null || [ -x /usr/local/cuda/bin/nvcc ]; then \
	  $(PYTHON) -c 'import importlib.metadata as m; m.version("nvidia-cuda-cuobjdump"); m.version("nvidia-cuda-nvdisasm")' 2>/dev/null || \
	    $(PIP) -r bench/floors/requirements.txt; \
	else echo "no nvcc: building for the CPU alone"; fi

# Files of our own say what is installed: a venv's python is a link to one that is older than any requirement.
$(VENV)/figures-installed: experiments/requirements.txt
	@python3 -m venv --clear $(VENV) 2>/dev/null || { as_root=""; [ "$$(id -u)" = 0 ] || as_root=sudo; \
	  $$as_root apt-get update -qq && $$as_root apt-get install -y -qq python3 python3-venv && python3 -m venv --clear $(VENV); }
	$(PIP) -r experiments/requirements.txt
	@touch $@

$(VENV)/tests-installed: tests/requirements.txt tests/engines.txt $(VENV)/figures-installed
	$(PIP) -r tests/requirements.txt
	@grep -v '^#' tests/engines.txt | while read -r engine; do $(PIP) "$$engine" || echo "$$engine does not install here"; done
	@touch $@

# Where there is a build already, it is used as it is.
$(BUILD)/build.ninja: | deps-figures
	$(CONFIGURE) $(HERE) $(FIGURES) $(CMAKE_ARGS)

build: deps
	$(CONFIGURE) $(HERE) $(WHOLE) $(CMAKE_ARGS)
	cmake --build $(BUILD) -j $(JOBS)

everything: deps
	$(CONFIGURE) $(ALL) $(WHOLE) $(CMAKE_ARGS)
	cmake --build $(BUILD) -j $(JOBS)

fig4: deps-figures $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target phasegrid_cli
	$(BUILD)/phasegrid reproduce fig4 --preset $(PRESET) --score $(SCORE) --out $(OUT) $(if $(REFERENCE),--reference $(REFERENCE))
	@echo "pictures: $(OUT)/fig4.png $(OUT)/fig8.png"

# Its exit status is 1 where Figure 4 is out of tolerance; the other verdicts are findings.
paper: PRESET := $(if $(filter command line environment,$(origin PRESET)),$(PRESET),paper)
paper: deps-figures $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target phasegrid_cli
	$(BUILD)/phasegrid reproduce all --preset $(PRESET) --score $(SCORE) --out $(PAPER) $(if $(REFERENCE),--reference $(REFERENCE))

# Its verdicts are findings; the site is what `phasegrid explore --gallery` makes of them.
field: PRESET := $(if $(filter command line environment,$(origin PRESET)),$(PRESET),paper)
field: deps-figures $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target phasegrid_cli
	$(BUILD)/phasegrid reproduce field --preset $(PRESET) --out $(FIELD)
	$(BUILD)/phasegrid explore --gallery $(FIELD) --out $(FIELD)/site

test: everything
	ctest --test-dir $(BUILD) -j $(JOBS) --output-on-failure --output-junit tests.xml --test-output-size-passed 1000000
	$(PYTHON) tests/skipped.py $(BUILD)/tests.xml

# Without a failure this prints one line; a failure names the seed that repeats it.
kill: deps $(BUILD)/build.ninja
	cmake --build $(BUILD) -j $(JOBS) --target phasegrid_cli
	$(PYTHON) tests/program/kill_test.py $(BUILD)/phasegrid --rounds $(KILLS)

# The same of workers: Dask's, Ray's, MPI's and a pool's, 25 of each.
WORKERS ?= 25
kill-workers: build
	PYTHONPATH=$(BUILD)/python $(PYTHON) tests/embedding/engine_kills.py --kills $(WORKERS)

# For this platform alone: it needs the shared libraries that `auditwheel show` lists.
wheel: deps
	$(VENV)/bin/pip wheel -q --disable-pip-version-check --no-deps -w out/wheel . $(WHEEL:-D%=-Ccmake.define.%)
	$(PIP) auditwheel
	$(VENV)/bin/auditwheel show out/wheel/phasegrid-*.whl

bench: everything
	$(BUILD)/bench/tiny_cpu $(BENCH_ARGS)
	$(BUILD)/bench/block_cpu $(BENCH_ARGS)

# JAX and PyTorch, for bench/compare_peers.py and the tests of to_torch; in an environment of their own, as they are large.
peers:
	python3 -m venv .venv-peers
	.venv-peers/bin/pip install -q --disable-pip-version-check -r bench/peers/requirements.txt

# One wide instruction set is enough here: the others differ in names of intrinsics alone, and the bits are compared in
# `make test`. Host, files and program go over the kernels of the ordinary build (sanitize-host); then the kernels and their
# tests, those on the emulated machine too; then, under ThreadSanitizer, what has threads: the emulated warp is among it,
# where a missing barrier of the CUDA code is a data race. ThreadSanitizer leaves the kernels out. Host code is not
# optimised: compiling takes longer than the tests.
SANITIZED = -G Ninja -DPHASEGRID_CUDA=OFF -DPHASEGRID_BENCH=OFF -DPHASEGRID_PYTHON=$(abspath $(PYTHON)) -DPHASEGRID_MACHINES=avx2 \
  -DCMAKE_BUILD_TYPE=None -DCMAKE_CXX_FLAGS='-O0 -g1'
KERNEL_TESTS = kernel_test block_test family_test warp_emulator_test block_emulator_test machine_test_baseline \
  machine_test_avx2 machine_test_cuda training_test
THREAD_TESTS = host_test training_test warp_emulator_test block_emulator_test c_api_test
sanitize: everything sanitize-host
	cmake -S . -B $(BUILD)-asan $(SANITIZED) -DPHASEGRID_SANITIZE=address,undefined
	cmake --build $(BUILD)-asan -j $(JOBS) --target $(KERNEL_TESTS)
	ctest --test-dir $(BUILD)-asan -j $(JOBS) --output-on-failure -R "^($$(echo $(KERNEL_TESTS) | tr ' ' '|'))$$"
	cmake -S . -B $(BUILD)-tsan $(SANITIZED) -DPHASEGRID_SANITIZE=thread -DPHASEGRID_KERNELS_FROM=$(abspath $(BUILD))
	cmake --build $(BUILD)-tsan -j $(JOBS) --target $(THREAD_TESTS)
	$(BUILD)-tsan/tests/host_test --gtest_brief=1
	ctest --test-dir $(BUILD)-tsan -j $(JOBS) --output-on-failure \
	  -R '^(training_test|warp_emulator_test|block_emulator_test|embedding_c_api)$$'

# A part of it: host, files and program under AddressSanitizer and UBSan, over the kernels of the ordinary build.
sanitize-host: everything
	cmake -S . -B $(BUILD)-asan-host $(SANITIZED) -DPHASEGRID_SANITIZE=address,undefined \
	  -DPHASEGRID_KERNELS_FROM=$(abspath $(BUILD))
	cmake --build $(BUILD)-asan-host -j $(JOBS) --target host_test reproduce_test c_api_test phasegrid_cli
	$(BUILD)-asan-host/tests/host_test --gtest_brief=1
	$(BUILD)-asan-host/tests/reproduce_test --gtest_brief=1
	ctest --test-dir $(BUILD)-asan-host -j $(JOBS) --output-on-failure -R '^(embedding_c_api|command_line(_[a-z]+)?)$$'

# Of what executes the kernels: their tests and trainings, not those of pictures, files and program.
coverage: deps
	cmake -S . -B $(BUILD)-coverage -G Ninja -DPHASEGRID_CUDA=OFF -DPHASEGRID_BENCH=OFF -DPHASEGRID_COVERAGE=ON \
	  -DPHASEGRID_PYTHON=$(abspath $(PYTHON))
	cmake --build $(BUILD)-coverage -j $(JOBS) --target $(KERNEL_TESTS) dynamics_test
	ctest --test-dir $(BUILD)-coverage -j $(JOBS) --output-on-failure -R "^($$(echo $(KERNEL_TESTS) dynamics_test | tr ' ' '|'))$$"
	$(PIP) gcovr
	$(VENV)/bin/gcovr -r . --filter 'kernels/' --merge-lines --gcov-ignore-parse-errors=negative_hits.warn_once_per_file \
	  --gcov-ignore-parse-errors=suspicious_hits.warn_once_per_file $(BUILD)-coverage

# Needs clang with libFuzzer; says so where there is none. What it finds stays in $(BUILD)/fuzz/found.
SECONDS ?= 600
fuzz: deps
	$(PYTHON) tests/fuzz/run.py --build $(BUILD)/fuzz --seconds $(SECONDS)

# Without nvcc there are no such targets (tests/ptx/README.md).
ptx: deps
	$(CONFIGURE) $(ALL) $(WHOLE) $(CMAKE_ARGS)
	cmake --build $(BUILD) -j $(JOBS) --target ptx_suite_all ptx_planted_test
	$(BUILD)/tests/ptx/ptx_planted_test --gtest_brief=1
	$(BUILD)/tests/ptx/ptx_suite_all all

ptx-mutations: deps
	$(CONFIGURE) $(ALL) $(WHOLE) $(CMAKE_ARGS)
	cmake --build $(BUILD) -j $(JOBS) --target ptx_mutants
	$(BUILD)/tests/ptx/ptx_mutants mutations

ptx-counts: deps
	$(CONFIGURE) $(ALL) $(WHOLE) $(CMAKE_ARGS)
	cmake --build $(BUILD) -j $(JOBS) --target ptx_counts
	$(BUILD)/tests/ptx/ptx_counts counts $(BUILD)/ptx_counts.json

clean:
	rm -rf $(BUILD) $(BUILD)-asan $(BUILD)-asan-host $(BUILD)-tsan $(BUILD)-coverage out
