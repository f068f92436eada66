// Runs one recorded call after the other in an instance of the replayed package, and holds what comes out against the
// record: results, traps, and the places where a call was cut off.
//
// One owner, one thread. The first difference is in comparer(); after one, or after an inconclusive verdict, nothing
// more may be run.
#pragma once

#include <memory>
#include <string>

#include "persist/chain_reader.h"
#include "replay/comparer.h"
#include "replay/recorded_host.h"
#include "replay/tape.h"
#include "wasm/engine.h"

namespace theater::replay {

class CallDriver {
 public:
  struct Verdict {
    std::string inconclusive;  // why nothing can be said; empty if all went well or comparer() knows a difference
  };

  CallDriver(persist::ChainReader& reader, Tape& tape, std::shared_ptr<wasm::Module> module, const wasm::Limits& limits,
             const ReplayOptions& options, const schema::Secrets& secrets, bool same_profile);

  // What follows begins with `_initialize`, in a fresh instance: at the beginning of each incarnation, and when the
  // actor was passivated.
  void forget_instance();
  // The record says so: from here on, what depends on the engine alone isn't compared.
  void set_other_profile();

  // `recorded` is the tape's next event, a WasmCall. Takes it and everything that belongs to the call off the tape.
  Result<Verdict> run_call(const Tape::Entry& recorded);

  Comparer& comparer() { return comparer_; }
  RecordedHost& host() { return host_; }
  // An answer or an argument could be put back only with secrets that weren't given.
  bool lacks_secrets() const { return lacks_secrets_; }
  const std::string& note() const { return note_; }  // what a reader of the report should know; may be empty

 private:
  enum class Step : uint8_t { kGoOn, kEnd };

  const wasm::ExportFunction* find_function(std::string_view type_name) const;
  Result<void> drive(Verdict& verdict);
  Result<Step> before_run();
  Result<Step> after_run(wasm::Instance::Progress progress, Verdict& verdict);
  Result<Step> make_results_whole(Verdict& verdict);
  Result<void> make_whole(std::vector<schema::Value>& values);
  Result<Step> cut_in_host_call();
  Result<Step> check_overrun(Verdict& verdict);
  Result<Step> compare_outcome();
  void compare_trap(const wasm::CallOutcome& outcome, const Tape::Entry& recorded);
  Result<void> excuse_resource_limit(Verdict& verdict);
  Result<void> excuse_hidden_secret(Verdict& verdict);
  Result<void> arm_stop();
  const Tape::Entry* next_event();
  Step end_call();

  persist::ChainReader& reader_;
  Tape& tape_;
  Comparer comparer_;
  const schema::Secrets& secrets_;
  RecordedHost host_;
  std::shared_ptr<wasm::Module> module_;
  wasm::Limits limits_;
  const bool recorded_package_;
  bool same_profile_;
  std::string note_;
  bool lacks_secrets_ = false;

  std::unique_ptr<wasm::Instance> instance_;
  bool initialized_ = false;
  const wasm::ExportFunction* function_ = nullptr;  // in progress
  uint64_t stop_fuel_ = 0;                          // where the record says that this call was cut off; 0: unknown
  std::string limit_trap_;                          // the guest trapped at a limit of the engine
  uint64_t seen_popped_ = 0, seen_fuel_ = 0;        // when the guest last did something that is recorded
};

}  // namespace theater::replay
