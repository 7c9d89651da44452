#!/usr/bin/env bash
# One part of bench/gpu/all.sh in namespaces of its own (started by rehearse.sh under unshare --net --mount): what Debian
# installs of the carried libraries is hidden there, and a fake compute-sanitizer comes first on the PATH. Time is plenty:
# a machine without a GPU has fewer cores.
#
#   bench/gpu/isolated.sh PART        from the root of the clean copy
set -euo pipefail
if [ "${GPU_ALL_HIDE:-1}" = 1 ]; then
  for folder in /usr/include/{fmt,toml++,nlohmann,CLI,Random123,gtest,gmock,benchmark} /usr/lib/x86_64-linux-gnu/cmake \
    /usr/lib/cmake /usr/share/cmake/{nlohmann_json,CLI11} /usr/lib/x86_64-linux-gnu/pkgconfig; do
    [ ! -d "$folder" ] || mount -t tmpfs none "$folder"
  done
  for file in /usr/include/{zip,zlib,zconf,zipconf}.h /usr/lib/x86_64-linux-gnu/lib{zip,fmt,gtest,benchmark}.{so,a}; do
    [ ! -e "$file" ] || mount --bind /dev/null "$file"
  done
fi
mkdir -p fake
ln -sf "$PWD/bench/gpu/deaf_sanitizer.sh" fake/compute-sanitizer
PATH="$PWD/fake:$PATH" GPU_ALL_REHEARSING=1 GPU_ALL_SECONDS=7200 GPU_ALL_BUILD_SECONDS=6000 OUT="$PWD/out" \
  bash bench/gpu/all.sh --rehearse "$1"
