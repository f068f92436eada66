// One actor's memory and stack, private to wasmtime_instance.cc (calls into the guest) and wasmtime_import.cc (calls
// out of it). Everything here belongs to one thread at a time, except between runs.
//
// Stacks: an exported function runs on one pooled stack. An import that has to give memory to the guest runs
// cabi_realloc on a second one, as a future of its own that is polled from the import's continuation; so a slow
// cabi_realloc yields like anything else. What runs on the second stack may import only what needs neither cabi_realloc
// nor time; so there is no third.
#pragma once

#include <array>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "wasm/lift.h"
#include "wasm/lower.h"
#include "wasm/wasmtime_internal.h"

namespace theater::wasm {

// A call of one guest function in progress. Not movable while the future lives, which refers to the members.
struct GuestCall {
  wasmtime_func_t function{};
  std::array<wasmtime_val_t, kFlatParamsMax> args;
  wasmtime_val_t result{};
  wasm_trap_t* trap = nullptr;
  wasmtime_error_t* error = nullptr;
  FuturePtr future;  // last: it goes first

  GuestCall() = default;
  GuestCall(const GuestCall&) = delete;
  GuestCall& operator=(const GuestCall&) = delete;
  ~GuestCall() { reset(); }

  void begin(wasmtime_context_t* context, const wasmtime_func_t& callee, std::span<const uint64_t> raw,
             const std::vector<CoreType>& types, size_t result_count);
  // True when it is over; then failed() tells how.
  bool poll();
  bool failed() const { return trap != nullptr || error != nullptr; }
  uint64_t raw_result() const;
  // Abandons what runs, frees what was caught.
  void reset();
};

// The trap that a finished call ended with; takes trap and error out of it.
Trap take_trap(GuestCall& call);

uint64_t raw_bits(const wasmtime_val_t& value);
wasmtime_val_t core_value(uint64_t bits, CoreType type);

class GuestInstance;

// An import in progress: at most two, the second one inside the first one's cabi_realloc.
struct ImportFrame {
  enum class State : uint8_t { kFree, kAsking, kAllocating };

  GuestInstance* instance = nullptr;
  State state = State::kFree;
  const Import* import = nullptr;
  std::array<uint64_t, kFlatParamsMax + 1> raw{};
  size_t raw_count = 0;
  HostCall call;
  uint64_t waited_ns = 0;  // poll_oneoff
  bool just_parked = false;
  Lowering lowering;
  size_t next_allocation = 0;
  GuestCall realloc;
  wasmtime_val_t* results = nullptr;  // of the core call
  wasm_trap_t** trap = nullptr;
};

class GuestInstance final : public Instance {
 public:
  GuestInstance(std::shared_ptr<ModuleState> module, Host& host, const Limits& limits);
  ~GuestInstance() override;

  void start(const ExportFunction& function, std::vector<schema::Value> args) override;
  Progress run() override;
  CallOutcome take_outcome() override;
  uint64_t fuel_used() const override;
  uint64_t memory_bytes() const override;
  void stop_at_fuel(uint64_t fuel) override { stop_at_ = fuel; }

  // From on_import, on the guest's stack (wasmtime_import.cc).
  void import_called(const Import& import, wasmtime_caller_t* caller, const wasmtime_val_t* args, size_t nargs,
                     wasmtime_val_t* results, wasm_trap_t** trap, wasmtime_async_continuation_t* continuation);
  bool continue_import(ImportFrame& frame);  // true when the import is over
  void abandon_import(ImportFrame& frame);

 private:
  enum class Phase : uint8_t { kIdle, kInstantiate, kInitialize, kAllocate, kCall, kPost, kDone };

  // An exported function that was called before: looked up once.
  struct Callee {
    const ExportFunction* function;
    std::shared_ptr<const FunctionLayout> layout;
    wasmtime_func_t entry;
    wasmtime_func_t post;
    bool has_post;
  };

  // wasmtime_instance.cc
  void begin_instantiate();
  void begin_call(const ExportFunction& function);
  bool find_callee(const ExportFunction& function);
  bool plan_arguments();
  void begin_entry();
  void advance();  // after top_ is over, or when nothing runs
  void take_result();
  void finish(std::optional<Trap> trap);
  void fail(schema::ErrorKind kind, std::string message);
  Progress pause();
  void set_yield_interval();
  bool lookup(const std::string& name, wasmtime_func_t* out);
  void bind_exports();

  // wasmtime_import.cc
  bool bind_from_caller(wasmtime_caller_t* caller);
  bool check_nesting(ImportFrame& frame);
  bool lift_arguments(ImportFrame& frame);
  bool check_result_pointer(ImportFrame& frame);
  bool ask(ImportFrame& frame);  // true when the import is over
  bool answered(ImportFrame& frame, HostStatus status);
  bool answered_preview1(ImportFrame& frame);
  bool lower_result(ImportFrame& frame);
  bool allocate(ImportFrame& frame);
  void write_result(ImportFrame& frame);
  bool trap(ImportFrame& frame, schema::ErrorKind kind, std::string message);  // returns true: over

  // Memory as it is now; never kept across a guest call.
  std::span<uint8_t> memory() const;
  void begin_realloc(GuestCall& call, const Lowering::Allocation& allocation);

  std::shared_ptr<ModuleState> module_;
  Host& host_;
  const Limits limits_;
  theater_limits_t growth_;  // the store refers to it
  StorePtr store_;
  wasmtime_context_t* context_;
  wasmtime_instance_t instance_{};
  wasmtime_memory_t memory_{};
  wasmtime_func_t realloc_{};
  bool bound_ = false;  // memory_ and realloc_ are known
  bool instantiated_ = false;
  bool dead_ = false;  // after a trap

  Phase phase_ = Phase::kIdle;
  const ExportFunction* function_ = nullptr;
  std::vector<Callee> callees_;
  size_t callee_ = 0;
  std::vector<schema::Value> args_;
  Lowering lowering_;
  size_t next_allocation_ = 0;
  CallOutcome outcome_;
  std::optional<Trap> import_trap_;  // why an import trapped, in our own words

  bool parked_ = false;          // set by a continuation that waits for the host
  bool inside_realloc_ = false;  // the host is inside cabi_realloc or cabi_post_…
  uint64_t stop_at_ = 0;
  bool interval_changed_ = false;

  std::array<std::unique_ptr<ImportFrame>, 2> frames_;
  size_t frame_count_ = 0;
  GuestCall top_;  // last: its stack refers to all of the above
};

}  // namespace theater::wasm
