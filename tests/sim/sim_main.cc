// theater-sim: runs simulations and stops at the first seed that breaks an invariant.
//
//   theater-sim --seed N            that one
//   theater-sim --seeds N           N of them, from --first (1) on
//   theater-sim --for 60s           as many as fit; also 5m, 2h
//   theater-sim --forever
//
// THEATER_SIM_TRACE=1 tells what happens. Exit code 0, 1 if an invariant broke, 2 if it wasn't understood. A CHECK of
// the code under test that fails ends the process by a signal; the seed stands above it.
#include <unistd.h>

#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/sim/simulation.h"

namespace theater::sim {
namespace {

char seed_note[160];  // for the handler, which may only write

void on_abort(int) { [[maybe_unused]] const ssize_t written = write(STDOUT_FILENO, seed_note, std::strlen(seed_note)); }

std::optional<uint64_t> number(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<uint64_t> seconds(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const auto value = number(text.substr(0, text.size() - 1));
  if (!value) return std::nullopt;
  switch (text.back()) {
    case 's': return *value;
    case 'm': return *value * 60;
    case 'h': return *value * 3600;
    default: return std::nullopt;
  }
}

struct Wish {
  uint64_t first = 1, seeds = 1;
  uint64_t seconds = UINT64_MAX;
  bool one = false;
};

std::optional<Wish> understand(int count, char** words) {
  Wish wish;
  bool said = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view word = words[i];
    if (word == "--forever") {
      wish.seeds = UINT64_MAX;
      said = true;
      continue;
    }
    if (i + 1 == count) return std::nullopt;
    const std::string_view value = words[++i];
    const auto parsed = word == "--for" ? seconds(value) : number(value);
    if (!parsed) return std::nullopt;
    if (word == "--seed") {
      wish.first = *parsed;
      wish.one = true;
    } else if (word == "--seeds") {
      wish.seeds = *parsed;
    } else if (word == "--first") {
      wish.first = *parsed;
      continue;
    } else if (word == "--for") {
      wish.seconds = *parsed;
      wish.seeds = UINT64_MAX;
    } else {
      return std::nullopt;
    }
    said = true;
  }
  return said ? std::optional(wish) : std::nullopt;
}

int run(const Wish& wish) {
  SystemClock clock;
  const uint64_t began_ns = clock.monotonic_ns();
  const bool trace = std::getenv("THEATER_SIM_TRACE") != nullptr;
  std::signal(SIGABRT, on_abort);
  Outcome sum;
  uint64_t ran = 0;
  for (uint64_t seed = wish.first; ran < wish.seeds; ++seed, ++ran) {
    if (wish.seconds != UINT64_MAX && clock.monotonic_ns() - began_ns >= wish.seconds * kSecond) break;
    std::snprintf(seed_note, sizeof seed_note, "seed %llu: a check in the code failed\n",
                  static_cast<unsigned long long>(seed));
    const Outcome outcome = simulate(seed, trace);
    if (outcome.broken) {
      std::printf("seed %llu: %s: %s\n  after %.6f simulated seconds and %llu steps; again: ./dev sim --seed %llu\n",
                  static_cast<unsigned long long>(seed), outcome.broken->invariant.c_str(),
                  outcome.broken->detail.c_str(), static_cast<double>(outcome.ended_ns - kSecond) / kSecond,
                  static_cast<unsigned long long>(outcome.steps), static_cast<unsigned long long>(seed));
      return 1;
    }
    sum.ended_ns += outcome.ended_ns - kSecond;
    sum.steps += outcome.steps;
    sum.events += outcome.events;
    sum.dropped += outcome.dropped;
    sum.resent += outcome.resent;
    sum.parked += outcome.parked;
    sum.node_crashes += outcome.node_crashes;
    sum.auditor_crashes += outcome.auditor_crashes;
    sum.failed_commits += outcome.failed_commits;
  }
  std::printf("%s\n", str_cat(ran, " seeds, nothing broke: ", sum.ended_ns / kSecond, " simulated seconds in ",
                              (clock.monotonic_ns() - began_ns) / kSecond, ", ", sum.steps, " steps, ", sum.events,
                              " events, ", sum.dropped, " dropped, ", sum.parked, " waits for room, ", sum.resent,
                              " frames sent again, ", sum.node_crashes, " nodes and ", sum.auditor_crashes,
                              " auditors died, ", sum.failed_commits, " commits failed")
                          .c_str());
  return 0;
}

}  // namespace
}  // namespace theater::sim

int main(int count, char** words) {
  const auto wish = theater::sim::understand(count, words);
  if (!wish) {
    std::fprintf(stderr, "theater-sim --seed N | --seeds N [--first N] | --for 60s | --forever\n");
    return 2;
  }
  return theater::sim::run(*wish);
}
