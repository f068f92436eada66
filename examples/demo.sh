#!/usr/bin/env bash
# Shows in a minute what Theater does: an actor on a node, an auditor in another process that keeps its chain, the chain
# verified and replayed, and one stored byte changed and found. Each step is checked; exits 0 only if all did what they say.
#
#   examples/demo.sh BUILD_FOLDER
set -euo pipefail

build=$(cd "${1:-build/release}" && pwd)
export PATH="$build/bin:$PATH"
work=$(mktemp -d)
export THEATER_CONFIG_DIR="$work/config" THEATER_NODE=unix:node.sock THEATER_STORE=store
unset THEATER_KEY
cd "$work"

daemons=()
cleanup() {
  for daemon in "${daemons[@]}"; do kill -9 "$daemon" 2>/dev/null || true; done
  rm -rf "$work"
}
trap cleanup EXIT

fail() {
  echo "demo: $*" >&2
  for log in "$work"/*.log; do [ ! -f "$log" ] || sed "s/^/  ${log##*/}: /" "$log" >&2; done
  exit 1
}
step() { printf '\n%s\n' "$*"; }
# Shows a command and runs it; its output is kept in $said.
shown() {
  local word line=
  for word in "$@"; do case $word in *' '*) line+=" \"$word\"" ;; *) line+=" $word" ;; esac done
  echo "  \$$line"
  said=$("$@" 2>&1) || { echo "$said"; fail "that should have succeeded"; }
  [ -z "$said" ] || sed 's/^/  /' <<<"$said"
}
says() { grep -qF -- "$1" <<<"$said" || fail "that should have said '$1'"; }
wait_for() {
  local _
  for _ in $(seq 600); do
    ! grep -qF -- "$2" "$1.log" || return 0
    kill -0 "$3" 2>/dev/null || fail "$1 ended"
    sleep 0.1
  done
  fail "$1 didn't say '$2'"
}

step "1. A node and an auditor get keys. Each will know the other by its key."
shown theater keys new node
shown theater keys new auditor
echo "node $(cat node.pub) demo-node" >nodes

step "2. The auditor starts, without a WebAssembly engine; then the node, which hands every event to it."
for _ in 1 2 3 4 5 6 7 8 9; do
  port=$((20000 + RANDOM % 20000))
  cat >auditor.toml <<TOML
store = "store"
key = "auditor.key"
data = "tcp://127.0.0.1:$port"
control = "tcp://127.0.0.1:$((port + 1))"
authorized_keys = "nodes"
TOML
  ! theater-auditor auditor check --config auditor.toml >/dev/null || break
done
cat >node.toml <<TOML
name = "demo-node"
key = "node.key"
control = "unix:node.sock"

[[auditor]]
name = "demo-auditor"
data = "tcp://127.0.0.1:$port"
control = "tcp://127.0.0.1:$((port + 1))"
key = "auditor.pub"
TOML
theater-auditor auditor start --config auditor.toml 2>auditor.log &
daemons+=($!)
wait_for auditor ready "${daemons[0]}"
theater node start --config node.toml 2>node.log &
daemons+=($!)
wait_for node ready "${daemons[1]}"
shown theater node status
says demo-auditor

step "3. An actor is spawned and asked. --durable: the answer comes when the auditor has it on disk."
shown theater actor spawn "$build/examples/echo/manifest.toml"
shown theater actor request echo "pay 100 to Alice" --durable
says "pay 100 to Alice"
shown theater actor stop echo
kill "${daemons[1]}" && wait "${daemons[1]}" || [ $? = 143 ] || fail "the node didn't stop cleanly"
kill "${daemons[0]}" && wait "${daemons[0]}" || [ $? = 143 ] || fail "the auditor didn't stop cleanly"

step "4. The auditor's store holds the whole story. The node keeps nothing."
shown theater chain show echo
says "pay 100 to Alice"

step "5. Every hash and link is computed again from the stored bytes."
shown theater chain verify --require-complete
says complete

step "6. The actor is run again from the store alone (its package travelled with the chain), and does the same."
shown theater replay echo
says same

step "7. Somebody who owns the disk wants it to have been 900: one byte is changed."
place=$(grep -obUaF "pay 100 to Alice" store/* | head -n 1) || fail "the text isn't in the store's files"
file=${place%%:*} offset=${place#*:} offset=${offset%%:*}
echo "  byte $((offset + 4)) of $file: 1 becomes 9"
printf 9 | dd of="$file" bs=1 seek=$((offset + 4)) conv=notrunc status=none

step "8. It is found."
echo "  \$ theater chain verify"
code=0
said=$(theater chain verify 2>&1) || code=$?
sed 's/^/  /' <<<"$said"
[ $code = 4 ] || fail "that should have exited with 4 (verification failed), not $code"

printf '\nAll of it did what it said.\n'
