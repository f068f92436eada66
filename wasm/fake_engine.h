// An engine without WebAssembly, for tests of what stands above it: threads, parking, the chain, supervision.
// Sanitizers can't follow guest stacks; this has none. A guest is a script: C++ functions that queue what the guest
// would do.
//
//   FakeEngine engine;
//   engine.add(package, {.imports = {"theater:simple/runtime@0.1.0/log"},
//                        .exports = {{"theater:simple/actor@0.1.0/init", [](FakeCall& call) {
//                                      call.host("theater:simple/runtime@0.1.0/log", {Value::string("hello")});
//                                      call.burn(100);
//                                      call.result(…);
//                                    }}}});
//
// It keeps the contract of wasm/engine.h: types are checked, host calls park and resume, fuel yields by slices and
// repeats, stop_at_fuel() is exact, a trap is the end. Every step costs one fuel, burn(n) n more. Same threads as the
// real one: add() before the engine is shared, an instance by one thread at a time.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "wasm/engine.h"

namespace theater::wasm {

// The call in progress, as its script sees it. Scripts queue steps; what depends on a host's answer goes into then().
class FakeCall {
 public:
  const std::vector<schema::Value>& args() const { return args_; }
  // Results of the host calls so far, one for each that has a result.
  const std::vector<schema::Value>& answers() const { return answers_; }
  // The guest's memory: survives the call, dies with the instance.
  Bytes& memory() { return *memory_; }

  void host(std::string type_name, std::vector<schema::Value> call_args);
  void burn(uint64_t fuel);
  void grow_memory(uint64_t bytes);                // to so many, or not beyond the limit, as memory.grow does
  void then(std::function<void(FakeCall&)> more);  // its steps come before those queued behind it
  void trap(std::string message);
  void loop_forever();
  void result(schema::Value value);  // the last step of an export that has a result

 private:
  friend class FakeInstance;
  struct Step {
    enum class Kind : uint8_t { kHost, kBurn, kGrow, kThen, kTrap, kResult } kind;
    std::string text;                   // function or message
    std::vector<schema::Value> values;  // arguments or result
    uint64_t fuel = 1;
    std::function<void(FakeCall&)> more;
    uint64_t bytes = 0;
  };
  void push(Step step);

  std::vector<schema::Value> args_;
  std::vector<schema::Value> answers_;
  Bytes* memory_ = nullptr;
  std::deque<Step> steps_;
  size_t insert_at_ = 0;
};

using FakeScript = std::function<void(FakeCall&)>;

struct FakeModuleSpec {
  std::vector<std::string> imports;           // type names: "theater:simple/runtime@0.1.0/log"
  std::map<std::string, FakeScript> exports;  // by type name; "_initialize" may be left out, init may not
};

class FakeEngine final : public Engine {
 public:
  explicit FakeEngine(EngineOptions options = {});
  ~FakeEngine() override;

  void add(BytesView package, FakeModuleSpec spec);

  const EngineProfile& profile() const override { return profile_; }
  // Packages that were added; anything else is refused.
  Result<std::shared_ptr<Module>> compile(BytesView package) override;
  Result<Bytes> serialize(const Module& module) override;
  Result<std::shared_ptr<Module>> load(BytesView package, BytesView serialized) override;
  uint64_t compilations() const;  // calls of compile()

 private:
  EngineProfile profile_;
  Result<std::shared_ptr<Module>> make(BytesView package);
  struct Shared;
  std::shared_ptr<Shared> shared_;
};

}  // namespace theater::wasm
