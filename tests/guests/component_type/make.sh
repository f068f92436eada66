#!/usr/bin/env bash
# Makes the sections beside this script again: the content of the custom section that wit-bindgen's C generator puts into a
# guest, for the WIT in sdk/wit, for changed copies of it, and for the echo guest's. Each change keeps the core signature,
# or touches nothing that has one. Needs wit-bindgen 0.63.0 (cargo install wit-bindgen-cli) and llvm-objcopy-19;
# tests need neither.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# section NAME WIT WORLD [ARGUMENT OF WIT-BINDGEN…]: NAME.bin
section() {
  local name=$1 wit=$2 world=$3 object section
  wit-bindgen c "$wit" --world "$world" --out-dir "$work/$name" "${@:4}" >"$work/log" 2>&1 || {
    cat "$work/log" >&2
    exit 1
  }
  object=$(echo "$work/$name"/*_component_type.o)
  section=$(llvm-readobj-19 --sections "$object" | grep -o 'component-type[^ ]*' | head -n 1)
  llvm-objcopy-19 --dump-section="$section=$here/$name.bin" "$object" /dev/null
}

# changed NAME SED-EXPRESSION [ARGUMENT OF WIT-BINDGEN…]
changed() {
  sed "$2" "$here/../../../sdk/wit/theater.wit" >"$work/$1.wit"
  if [ -n "$2" ] && cmp -s "$here/../../../sdk/wit/theater.wit" "$work/$1.wit"; then
    echo "$1: nothing changed" >&2
    exit 1
  fi
  section "$1" "$work/$1.wit" message-actor "${@:3}"
}

changed same ''
changed utf16 '' --string-encoding utf16
changed log_bytes 's/log: func(msg: string)/log: func(msg: list<u8>)/'
changed log_name 's/log: func(msg: string)/log: func(message: string)/'
changed random_s32 's/bytes: func(len: u32)/bytes: func(len: s32)/'
changed random_char 's/bytes: func(len: u32)/bytes: func(len: char)/'
changed random_s64 's/%u64: func() -> u64/%u64: func() -> s64/'
changed shutdown_record 's/  shutdown: func(data: option<list<u8>>)/  record word { text: list<u8> } shutdown: func(data: option<word>)/'
changed init_string 's/init: func(state: option<list<u8>>, params: tuple<string>)/init: func(state: option<string>, params: tuple<string>)/'
changed request_swapped 's/handle-request: func(state: option<list<u8>>, params: tuple<string, list<u8>>)/handle-request: func(state: option<list<u8>>, params: tuple<list<u8>, string>)/'
section echo "$here/../echo/echo.wit" echo
