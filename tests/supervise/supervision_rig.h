// Drives a Supervision by hand: each output is one short line, lives are numbered, and whoever is told to start is
// remembered, so that a test reads like what happened.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "supervise/supervision.h"

namespace theater::supervise {

constexpr uint64_t kMs = 1'000'000;

inline ChildSpec worker(std::string id, Restart restart = Restart::permanent,
                        std::optional<Shutdown> shutdown = std::nullopt) {
  return {.id = std::move(id), .start = {}, .restart = restart, .shutdown = shutdown};
}

inline Hash make_life(uint64_t number) {
  Hash life;
  std::memcpy(life.bytes.data(), &number, sizeof number);
  return life;
}

struct Rig {
  struct Life {
    std::optional<Hash> life;
    Hash head;  // of the last one that ended
  };

  explicit Rig(SupervisorSpec spec) : sup(Supervision::make(std::move(spec), random).value()) {}

  // What was put out since the last call, without the timers.
  std::vector<std::string> log() {
    take();
    return std::exchange(lines, {});
  }
  const Output& last() {
    take();
    return all.back();
  }
  ChildRef last_start() {
    take();
    for (auto output = all.rbegin(); output != all.rend(); ++output) {
      if (output->what == What::kStartChild) return output->child;
    }
    return 0;
  }
  void take() {
    for (Output& output : sup.take_outputs()) {
      if (output.what == What::kSetTimer) {
        timer = output.deadline_ns;
        continue;
      }
      std::string line = what_name(output.what);
      if (output.what == What::kStartChild) line = "start";
      if (output.what == What::kStopChild) line = "stop";
      if (output.what == What::kKillChild) line = "kill";
      const bool about_child = output.what != What::kReply && output.child != 0;
      if (about_child) line += " " + output.id;
      if (about_child) refs[output.id] = output.child;
      if (output.what == What::kReply) line = str_cat("reply ", output.call, " ", refusal_name(output.refusal));
      if (output.what == What::kEnd) {
        line += output.end == EndReason::stopped    ? " stopped"
                : output.end == EndReason::shutdown ? " shutdown"
                                                    : " start_failed";
      }
      EXPECT_FALSE(output.why.empty() && output.what != What::kReply) << line;
      lines.push_back(line);
      all.push_back(std::move(output));
    }
  }

  // Starts it and answers all starts.
  void boot() {
    ASSERT_TRUE(sup.start(now).ok());
    for (take(); !all.empty() && all.back().what == What::kStartChild; take()) up_ref(all.back().child);
    lines.clear();
  }
  void up_ref(ChildRef ref) {
    lives[ref].life = make_life(++next_life);
    const auto done = sup.child_started(ref, *lives[ref].life, now);
    ASSERT_TRUE(done.ok()) << done.error().message;
    take();
  }
  void exit_ref(ChildRef ref, Exit::Kind kind, std::string text = {}) {
    lives[ref].head = make_life(++next_life + 1'000'000);
    const auto done = sup.child_exited(ref, *lives[ref].life, {kind, std::move(text), lives[ref].head}, now);
    ASSERT_TRUE(done.ok()) << done.error().message;
    take();
  }
  void up(const std::string& id) { up_ref(ref(id)); }
  void exit(const std::string& id, Exit::Kind kind, std::string text = {}) { exit_ref(ref(id), kind, std::move(text)); }
  void fail(const std::string& id, std::string_view reason) {
    const auto done = sup.child_start_failed(ref(id), reason, now);
    ASSERT_TRUE(done.ok()) << done.error().message;
    take();
  }
  ChildRef ref(const std::string& id) {
    take();
    return refs[id];
  }
  Hash life_of(const std::string& id) { return *lives[ref(id)].life; }
  Hash head_of(const std::string& id) { return lives[ref(id)].head; }

  SeededRandom random{7};
  Supervision sup;
  uint64_t now = 1'000'000'000;
  uint64_t timer = 0;
  uint64_t next_life = 0;
  std::map<std::string, ChildRef> refs;
  std::map<ChildRef, Life> lives;
  std::vector<std::string> lines;
  std::vector<Output> all;
};

}  // namespace theater::supervise
