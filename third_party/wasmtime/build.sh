#!/usr/bin/env bash
# Builds Wasmtime's C API once per version and feature set, and keeps it outside the build folder: four minutes that nobody
# should wait for twice.
#
#   build.sh           makes sure that the archive exists, and prints the folder that holds it
#   build.sh --where   prints the folder only
#   build.sh --is-made exits with 0 if the archive exists
#   build.sh --cargo   prints the cargo that would build it, or exits with 1: it takes 1.95 or newer
#
# The folder is CACHE/wasmtime-KEY with lib/libwasmtime.a and include/. CACHE is $THEATER_CACHE, or theater/ in
# $XDG_CACHE_HOME or ~/.cache. KEY covers this crate (lock file, features, sources) and the machine's architecture. Two runs at once wait for each
# other; one that is interrupted leaves no half-made folder and goes on where it stopped.
# $THEATER_WASMTIME_TARGET_DIR names a cargo target folder to use (and keep) instead of one of its own.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cache=${THEATER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/theater}
key=$({ uname -m; cat "$here/Cargo.lock" "$here/Cargo.toml" "$here"/src/*.rs "$here"/include/*.h; } | sha256sum | cut -c1-16)
result=$cache/wasmtime-$key

say() { echo "wasmtime: $*" >&2; }

is_made() { [ -f "$result/lib/libwasmtime.a" ] && [ -f "$result/include/theater_wasmtime.h" ]; }

# The first cargo that is new enough. Debian's own is 0.66 or, as cargo-web, new enough in /usr/bin.
find_cargo() {
  local candidate version
  for candidate in "${CARGO:-cargo}" /usr/bin/cargo; do
    version=$("$candidate" --version 2>/dev/null | cut -d' ' -f2) || continue
    [ "$(printf '1.95\n%s\n' "$version" | sort -V | head -n 1)" = 1.95 ] || continue
    command -v "$candidate"
    return
  done
  return 1
}

case ${1:-} in
  --where) echo "$result"; exit ;;
  --is-made) is_made; exit ;;
  --cargo) find_cargo; exit ;;
  '') ;;
  *) say "unknown option $1"; exit 2 ;;
esac

# Prints "compiled/total, elapsed" while process $1 writes cargo's messages to file $2.
show_progress() {
  local pid=$1 log=$2 total=$3 start=$SECONDS last_plain=$SECONDS line
  while kill -0 "$pid" 2>/dev/null; do
    sleep 1
    line=$(printf '%d of %d crates, %d:%02d (about 4 minutes on 2 cores, once)' \
      "$(grep -c '^ *Compiling ' "$log" || true)" "$total" $(((SECONDS - start) / 60)) $(((SECONDS - start) % 60)))
    if [ -t 2 ]; then
      printf '\r\033[Kwasmtime: %s' "$line" >&2
    elif ((SECONDS - last_plain >= 20)); then
      last_plain=$SECONDS
      say "$line"
    fi
  done
  if [ -t 2 ]; then printf '\r\033[K' >&2; fi
}

build() {
  local cargo
  cargo=$(find_cargo) || {
    say "no cargo 1.95 or newer: run './dev setup', or pass -DTHEATER_WASMTIME_ROOT=FOLDER to CMake"
    exit 1
  }
  # cargo takes the rustc that comes first in PATH, which need not be the one beside it.
  PATH=$(dirname "$cargo"):$PATH
  local target=${THEATER_WASMTIME_TARGET_DIR:-$result.target} log=$result.log
  cd "$here"
  say "building the C API into $result"
  "$cargo" fetch --locked --quiet >&2 || {
    say "the crates could not be fetched (is the network there?)"
    exit 1
  }
  local total
  total=$("$cargo" tree --locked --offline -e normal,build --prefix none 2>/dev/null | cut -d' ' -f1,2 | sort -u | wc -l)

  CARGO_TARGET_DIR=$target "$cargo" build --release --locked --offline --color never >"$log" 2>&1 &
  local pid=$!
  trap 'kill '"$pid"' 2>/dev/null || true' EXIT
  show_progress "$pid" "$log" "$total"
  if ! wait "$pid"; then
    tail -n 20 "$log" >&2
    say "cargo build failed; the whole log is in $log"
    exit 1
  fi
  trap - EXIT

  # The crate's build script has put its headers, with conf.h made for these features, beside its other output.
  local conf
  conf=$(find "$target/release/build" -path '*/wasmtime-c-api-impl-*/out/include/wasmtime/conf.h' -printf '%T@ %p\n' |
    sort -n | tail -n 1 | cut -d' ' -f2-)
  [ -n "$conf" ] || {
    say "no headers under $target/release/build: has the crate's layout changed?"
    exit 1
  }

  rm -rf "$result.new"
  mkdir -p "$result.new/lib"
  cp -R "${conf%/wasmtime/conf.h}" "$result.new/include"
  cp "$here"/include/*.h "$result.new/include/"
  cp "$target/release/libtheater_wasmtime.a" "$result.new/lib/libwasmtime.a"
  rm -rf "$result"
  mv "$result.new" "$result"
  if [ -z "${THEATER_WASMTIME_TARGET_DIR:-}" ]; then rm -rf "$target"; fi
  rm -f "$log"
  say "done"
}

mkdir -p "$cache"
if ! is_made; then
  exec 9>"$result.lock"
  flock --nonblock 9 || {
    say "another process is building it; waiting"
    flock 9
  }
  is_made || build
fi
echo "$result"
