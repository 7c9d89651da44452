# shellcheck shell=bash
# Sourced by bench/gpu/all.sh: builds the carried libraries, then phasegrid, without network and without the machine's
# own development packages.

JOBS=$(nproc)

# carried NAME ARGUMENTS...: configures, builds and installs .carry/src/NAME.
carried() {
  local name=$1
  shift
  cmake -S ".carry/src/$name" -B "$BUILD/carried/$name" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    "-DCMAKE_INSTALL_PREFIX=$PREFIX" "-DCMAKE_PREFIX_PATH=$PREFIX" -DCMAKE_INSTALL_LIBDIR=lib \
    "-DCMAKE_INSTALL_RPATH=$PREFIX/lib" -DCMAKE_POSITION_INDEPENDENT_CODE=ON -DCMAKE_POLICY_VERSION_MINIMUM=3.5 "$@" &&
    cmake --build "$BUILD/carried/$name" -j "$JOBS" && cmake --install "$BUILD/carried/$name"
}

# header_package NAME TARGET: what find_package(NAME) reads for a library of headers alone.
header_package() {
  mkdir -p "$PREFIX/lib/cmake/$1"
  cat >"$PREFIX/lib/cmake/$1/$1Config.cmake" <<CMAKE
if(NOT TARGET $2)
  add_library($2 INTERFACE IMPORTED)
  target_include_directories($2 SYSTEM INTERFACE "\${CMAKE_CURRENT_LIST_DIR}/../../../include")
endif()
CMAKE
}

# All carried libraries into PREFIX; the independent ones side by side.
build_carried() {
  set -e
  if [ ! -d .carry/src ]; then
    echo "there is no .carry/src: run bench/gpu/carry.sh where there is a network, and carry .carry"
    return 1
  fi
  mkdir -p "$PREFIX/include"
  cp -r .carry/include/. "$PREFIX/include/"
  header_package tomlplusplus tomlplusplus::tomlplusplus
  header_package CLI11 CLI11::CLI11
  header_package nlohmann_json nlohmann_json::nlohmann_json
  carried fmtlib -DFMT_TEST=OFF -DFMT_DOC=OFF &
  carried googletest -DBUILD_GMOCK=OFF &
  carried benchmark -DBENCHMARK_ENABLE_TESTING=OFF -DBENCHMARK_ENABLE_GTEST_TESTS=OFF -DBENCHMARK_ENABLE_WERROR=OFF \
    -DBENCHMARK_INSTALL_DOCS=OFF &
  carried zlib
  carried libzip -DBUILD_TOOLS=OFF -DBUILD_REGRESS=OFF -DBUILD_EXAMPLES=OFF -DBUILD_DOC=OFF -DENABLE_BZIP2=OFF \
    -DENABLE_LZMA=OFF -DENABLE_ZSTD=OFF -DENABLE_OPENSSL=OFF -DENABLE_GNUTLS=OFF -DENABLE_MBEDTLS=OFF
  wait
  for library in fmt gtest benchmark zip z; do
    if ! compgen -G "$PREFIX/lib/lib$library.*" >/dev/null; then
      echo "lib$library was not built"
      return 1
    fi
  done
}

# The machine code of this machine's GPU alone.
gpu_architecture() {
  local capability
  capability=$(nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null | head -n 1 | tr -d '. ')
  echo "${capability:-90}-real"
}

configure() {
  cmake -S . -B "$BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Release "-DCMAKE_PREFIX_PATH=$PREFIX" \
    -DCMAKE_FIND_USE_SYSTEM_PACKAGE_REGISTRY=OFF -DCMAKE_DISABLE_FIND_PACKAGE_PkgConfig=ON -DPHASEGRID_CUDA=ON \
    "-DCMAKE_CUDA_ARCHITECTURES=$(gpu_architecture)" "-DPHASEGRID_PYTHON=$(command -v python3)" || return
  # Every library must be the carried one, or the next bare machine will lack it.
  local strangers
  strangers=$(grep -E '^(fmt|tomlplusplus|nlohmann_json|CLI11|libzip|GTest|benchmark)_DIR:|^RANDOM123_INCLUDE_DIR:' \
    "$BUILD/CMakeCache.txt" | grep -v "=$PREFIX/" || true)
  if [ -n "$strangers" ]; then
    printf 'not from .carry:\n%s\n' "$strangers"
    return 1
  fi
}

# What the build was made of; times say nothing on a machine that is sent the tree anew with every call.
tree_hash() {
  find CMakeLists.txt cmake bench host include kernels tests experiments -type f -not -name '*.md' -print0 | sort -z |
    xargs -0 sha256sum | sha256sum | cut -d' ' -f1
}

# has_tools: the programs that a build needs, or a record of those that are missing.
has_tools() {
  local tool missing=""
  for tool in cmake ninja nvcc "${CXX:-c++}" python3; do
    command -v "$tool" >/dev/null || missing="$missing $tool"
  done
  [ -z "$missing" ] && return 0
  record tools failed - 0 0 "this machine has no$missing on the PATH"
  return 1
}

# build_all: everything this machine needs, unless it is there; returns non-zero where phasegrid itself was not built.
build_all() {
  local hash
  has_tools || return
  hash=$(tree_hash)
  if [ "$(cat "$BUILD/built_from" 2>/dev/null)" = "$hash" ]; then
    record build ok - 0 "$BUILD_LIMIT" "there already, of this very tree"
    return 0
  fi
  export -f carried header_package build_carried gpu_architecture configure
  export BUILD PREFIX JOBS
  if [ ! -f "$PREFIX/done" ]; then
    run_step carried-libraries 150 bash -c 'build_carried' || return
    touch "$PREFIX/done"
  fi
  run_step configure 60 bash -c 'configure' || return
  # What does not build must not keep the rest from running.
  if run_step build "$BUILD_LIMIT" cmake --build "$BUILD" -j "$JOBS" -- -k 0; then echo "$hash" >"$BUILD/built_from"; fi
  [ -n "$(program phasegrid)" ]
}
