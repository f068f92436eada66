"""The rules that check_structure.py holds the tree to, as data. A new edge or a new home for a library is a decision: make
it here, and in ARCHITECTURE.md."""

# Which folders a folder may include, beside itself. Data takes the same way: a guest's call crosses wasm, is chained in
# node, becomes bytes by schema, leaves by bus, ends in persist, and comes alive again in replay.
FOLDERS = {
    "base": [],
    "schema": ["base"],
    "bus": ["schema", "base"],
    "wasm": ["schema", "base"],
    "persist": ["bus", "schema", "base"],
    "supervise": ["schema", "base"],
    "node": ["supervise", "bus", "wasm", "schema", "base"],
    "replay": ["supervise", "persist", "wasm", "bus", "schema", "base"],
    "cli": ["replay", "node", "supervise", "persist", "wasm", "bus", "schema", "base"],
    "bench": ["replay", "node", "persist", "wasm", "bus", "schema", "base"],
}

# Tests may include every folder, and each other's helpers.
TESTS = "tests"

# Which files may include a third-party library: its headers (a regular expression), then the files (glob patterns).
THIRD_PARTY = [
    ("OpenSSL", r"openssl/.*", ["base/crypto.cc"]),
    ("Cap'n Proto", r"(capnp|kj)/.*|.*\.capnp\.h", ["schema/*.cc", "bus/messages.cc", "bus/control.cc", "bus/wire.h",
                                                            "tests/schema/*", "tests/fuzz/*", "cmake/capnp_clang.h"]),
    ("ZeroMQ", r"zmq(_addon)?\.h(pp)?", ["bus/zmq_*", "tests/bus/*"]),
    ("Wasmtime", r"(wasm|wasmtime|theater_wasmtime|wasi)\.hh?|wasmtime/.*", ["wasm/wasmtime_*", "third_party/wasmtime/*"]),
    ("RocksDB", r"rocksdb/.*", ["persist/rocks_*"]),
    ("CLI11", r"CLI/.*", ["cli/*"]),
    ("toml++", r"toml\+\+/.*|toml\.hpp", ["base/config.cc"]),
    ("spdlog", r"(spdlog|fmt)/.*", ["cli/daemon_log.cc"]),
    ("prometheus-cpp", r"prometheus/.*", ["cli/metrics_text.cc"]),
    ("CivetWeb", r"civetweb\.h|CivetServer\.h", ["cli/http_server.cc"]),
    ("Google Benchmark", r"benchmark/.*", ["bench/*"]),
    ("libnats", r"nats/.*", ["bench/peers/*"]),
    ("The guest headers", r"theater(_files|_import)?\.h", ["sdk/*", "examples/*", "tests/*"]),
    ("The NATS client", r"nats/.*", ["bench/peers/*"]),
    ("GoogleTest", r"(gtest|gmock)/.*", ["tests/*"]),
]

# C and POSIX headers that count as part of the platform; C++ headers are known by having neither dot nor slash.
PLATFORM = r"(sys|netinet|arpa|linux)/.*|(assert|dirent|dlfcn|errno|fcntl|fenv|fnmatch|grp|inttypes|limits|malloc|math|net/if|netdb|" \
           r"poll|pthread|pwd|sched|semaphore|signal|stdbool|stddef|stdint|stdio|stdlib|string|strings|spawn|" \
           r"termios|time|ucontext|unistd)\.h"

# A file that grows past this usually has two jobs.
LINES_MAX = 600
# Files that were longer when the rule came, with their length: it may only go down.
LINES_KNOWN = {}
