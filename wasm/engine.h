// CONTRACT. The WebAssembly engine as the rest of Theater sees it. Wasmtime stays behind it (wasm/wasmtime_engine.cc);
// FakeEngine (wasm/fake_engine.h) stands in where a sanitizer can't follow guest stacks.
//
//   Engine    compiles packages; one a process; any thread.
//   Module    a compiled, checked package; immutable, shared by all its actors; any thread.
//   Instance  one actor's memory and stack; used by one thread at a time, not always the same one.
//
// An Instance never blocks its thread. run() goes on until the call is done, the time slice is used up, or the guest
// waits inside a host call; the caller runs it again later. Destroying an Instance in any state is how a guest is
// killed; it frees everything the guest had.
//
// Determinism: same module, same calls, same host answers and same profile give the same calls out, the same results
// and the same fuel, at every run. Fuel is always on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "schema/event.h"
#include "wasm/functions.h"

namespace theater::wasm {

// What must be equal for a replay to be trusted at resource limits: engine version, compiler flags, CPU features, stack
// sizes, allowed proposals, fuel schedule, order of cabi_realloc and cabi_post calls.
struct EngineProfile {
  std::string text;  // "key=value" lines, sorted; for people and for the hash
  Hash hash;         // sha256 of the text
};

struct EngineOptions {
  uint64_t memory_max_bytes = uint64_t{64} << 20;  // of one instance: the size class of the pooled slots
  uint32_t instances_max = 16'000;           // alive at once; more are refused with a message that names the limit
  uint64_t slice_fuel = 1'000'000;           // per run(), before it yields
  std::vector<HostFunction> more_functions;  // importable beside the table's; for tests
};

inline constexpr uint32_t kTableElementsMax = 100'000;  // of one instance: the pooled slots have room for them

// memory.grow and table.grow answer -1 beyond these or the type's own maximum, and only there. Where the machine can't
// give what they allow, the call ends as kHostFailure.
struct Limits {
  uint64_t memory_bytes = uint64_t{64} << 20;  // at most the engine's memory_max_bytes
  uint32_t table_elements = kTableElementsMax;
};

// What a guest asked for beyond its Limits and didn't get, the most of it; 0: nothing. Of a memory beyond 4 GiB it is
// only known that it was.
struct RefusedGrowth {
  uint64_t memory_bytes = 0;
  uint64_t table_elements = 0;
  bool any() const { return memory_bytes != 0 || table_elements != 0; }
};

// A host call in progress. `args` are lifted; the host moves what it needs out of them and fills `results` (none or
// one).
struct HostCall {
  const HostFunction* function = nullptr;
  std::vector<schema::Value> args;  // the host may take them; the memory of what it leaves serves the next call
  std::vector<schema::Value> results;
  std::string error;                                       // for kTrap
  schema::ErrorKind trap_kind = schema::ErrorKind::kTrap;  // for kTrap: what the guest dies of
};

enum class HostStatus : uint8_t {
  kDone,    // results are there
  kParked,  // not yet: run() returns kParked; at the next run() the host is asked again by resume()
  kTrap,    // the guest traps with `error`, as `trap_kind`
};

// The other side of the boundary. Called on the thread that runs the instance, on the guest's stack: don't recurse
// deeply, don't block, don't throw.
class Host {
 public:
  virtual ~Host() = default;
  virtual HostStatus call(HostCall& call) = 0;
  virtual HostStatus resume(HostCall& call) = 0;  // again, after kParked; same object
  // Time as the guest may see it: stands still within a call, but for host calls that wait.
  virtual uint64_t wall_ns() = 0;
  virtual uint64_t monotonic_ns() = 0;  // since genesis
};

struct Trap {
  schema::ErrorKind kind = schema::ErrorKind::kTrap;
  std::string message;  // what, where (function, argument), and a short wasm backtrace where there is one
};

// How a call ended: `trap` empty means `results` hold what the guest returned. After a trap the instance is good for
// nothing but being destroyed, and its message tells of `refused`, too.
struct CallOutcome {
  std::optional<Trap> trap;
  std::vector<schema::Value> results;
  uint64_t fuel = 0;  // consumed by this call, cabi_realloc and cabi_post included
  RefusedGrowth refused;
};

// What is added to the message of a trap; empty if nothing was refused.
std::string refused_text(const RefusedGrowth& refused, const Limits& limits);

class Instance {
 public:
  enum class Progress : uint8_t { kDone, kYielded, kParked };

  virtual ~Instance() = default;

  // Begins a call; the instance must be idle. The first call must be initialize_function(): it instantiates the module,
  // runs its start function and `_initialize` where they exist. Arguments that don't fit the type (they may come from a
  // record), and results of a Host that don't, end the call as kHostFailure.
  virtual void start(const ExportFunction& function, std::vector<schema::Value> args) = 0;
  virtual Progress run() = 0;
  virtual CallOutcome take_outcome() = 0;  // once, after kDone

  virtual uint64_t fuel_used() const = 0;     // by the call in progress; exact at kYielded and kParked
  virtual uint64_t memory_bytes() const = 0;  // size of the linear memory now
  // Traps the call in progress, as kKilled, when it has consumed exactly `fuel` (at a yield that falls there): how a
  // limit of fuel is kept, and how replay cuts off a call where the record says it was cut off. 0 takes it back.
  virtual void stop_at_fuel(uint64_t fuel) = 0;
};

class Module {
 public:
  virtual ~Module() = default;
  virtual const Hash& package() const = 0;  // SHA-256 of the bytes it was compiled from
  virtual const std::vector<const HostFunction*>& imports() const = 0;
  virtual bool exports(const ExportFunction& function) const = 0;
  // What `rpc` may call; at the same addresses as long as the module lives.
  virtual const std::vector<ExportFunction>& callables() const = 0;
  // kUnavailable at the engine's instance limit, naming it. `host` must outlive the instance.
  virtual Result<std::unique_ptr<Instance>> instantiate(Host& host, const Limits& limits) = 0;
};

class Engine {
 public:
  virtual ~Engine() = default;
  virtual const EngineProfile& profile() const = 0;
  // Refuses, with a reason that names the import, export, signature or proposal: what isn't wasm, components, unknown
  // imports, a missing memory/cabi_realloc/init, signatures that differ from the table's: in core types, or in the WIT
  // types that a `component-type` section states. May take seconds for large packages.
  virtual Result<std::shared_ptr<Module>> compile(BytesView package) = 0;

  // What compile() made, as bytes that load() takes, so that it can be kept. They are native code: load() runs whatever
  // it is given, so it must be given only what serialize() of an engine with this profile returned, with the package of
  // that module. Fails if the engine doesn't know the bytes, or `package` would be refused now.
  virtual Result<Bytes> serialize(const Module& module) = 0;
  virtual Result<std::shared_ptr<Module>> load(BytesView package, BytesView serialized) = 0;
};

Result<std::unique_ptr<Engine>> make_wasmtime_engine(const EngineOptions& options);
EngineProfile wasmtime_profile(const EngineOptions& options);  // of the engine that they would make

}  // namespace theater::wasm
