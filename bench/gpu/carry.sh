#!/usr/bin/env bash
# Collects into .carry/ what a build needs on a machine without network, as Debian 12 has it: the sources of compiled
# libraries, reduced to what a build reads, and the headers of the others. bench/gpu/all.sh builds them there, with
# whatever compiler that machine has: nothing compiled here is carried, so no glibc, compiler or distribution is assumed.
# It needs x86-64, CMake 3.25, Ninja, a C++20 compiler, nvcc (13.0 is the one tried), cuBLAS and python3; all.sh says
# so where a tool is missing.
#
#   bench/gpu/carry.sh      needs apt-get and the network; under 10 MB
set -euo pipefail
cd "$(dirname "$0")/../.."

# Debian's source packages, and which files of each are carried.
SOURCES=(
  "fmtlib CMakeLists.txt README.rst ChangeLog.rst include src support"
  "googletest CMakeLists.txt googletest/CMakeLists.txt googletest/cmake googletest/include googletest/src"
  "benchmark CMakeLists.txt cmake include src tools"
  "zlib ."
  "libzip ."
)
# Packages of headers alone, and the folder of each under /usr/include.
HEADERS=("librandom123-dev Random123" "libtomlplusplus-dev toml++" "libcli11-dev CLI" "nlohmann-json3-dev nlohmann")

folder="$PWD/.carry"
temporary="$(mktemp -d)"
trap 'rm -rf "$temporary"' EXIT
mkdir -p "$temporary"/{lists/partial,cache/archives/partial,packages}
printf 'deb%s http://deb.debian.org/debian bookworm main\n' "" -src >"$temporary/sources.list"
apt=(apt-get -qq "-oDir::Etc::SourceList=$temporary/sources.list" -oDir::Etc::SourceParts=/dev/null
  "-oDir::State::Lists=$temporary/lists" "-oDir::Cache=$temporary/cache" -oAPT::Sandbox::User=root)
"${apt[@]}" update

rm -rf "$folder"
mkdir -p "$folder/src" "$folder/include"
cd "$temporary/packages"
for line in "${SOURCES[@]}"; do
  read -r -a files <<<"$line"
  package="${files[0]}"
  "${apt[@]}" source --download-only "$package"
  archive="$(find . -maxdepth 1 -name "${package}_*.orig.tar.*" ! -name '*.asc')"
  mkdir "$package" "$folder/src/$package"
  tar -xf "$archive" -C "$package" --strip-components=1
  (cd "$package" && cp -r --parents "${files[@]:1}" "$folder/src/$package/")
  echo "${archive#./}" >>"$folder/VERSIONS"
done
rm -rf "$folder"/src/zlib/{contrib,doc,examples,os400,watcom,nintendods,qnx,msdos,amiga,old}
mkdir -p "$folder/src/zlib/win32" && touch "$folder/src/zlib/win32/zlib1.rc"  # named by its CMake file, read on Windows
for line in "${HEADERS[@]}"; do
  read -r package include <<<"$line"
  "${apt[@]}" download "$package"
  archive="$(find . -maxdepth 1 -name "${package}_*.deb")"
  dpkg -x "$archive" "$package"
  cp -r "$package/usr/include/$include" "$folder/include/"
  echo "${archive#./}" >>"$folder/VERSIONS"
done
echo "$folder: $(du -sh "$folder" | cut -f1), $(find "$folder" -type f | wc -l) files"
