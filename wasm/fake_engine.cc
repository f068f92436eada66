#include "wasm/fake_engine.h"

#include <algorithm>

#include "base/check.h"
#include "base/crypto.h"
#include "base/text.h"
#include "wasm/lower.h"

namespace theater::wasm {

using schema::ErrorKind;
using schema::Value;

// What modules and instances need of the engine.
struct FakeEngine::Shared {
  EngineOptions options;
  std::map<Hash, std::shared_ptr<const FakeModuleSpec>> packages;
  std::atomic<uint32_t> instances{0};
  std::atomic<uint64_t> compilations{0};
};

void FakeCall::push(Step step) {
  steps_.insert(steps_.begin() + static_cast<std::ptrdiff_t>(insert_at_), std::move(step));
  ++insert_at_;
}

void FakeCall::host(std::string type_name, std::vector<Value> call_args) {
  push({Step::Kind::kHost, std::move(type_name), std::move(call_args), 1, {}});
}
void FakeCall::burn(uint64_t fuel) { push({Step::Kind::kBurn, {}, {}, fuel, {}}); }
void FakeCall::grow_memory(uint64_t bytes) { push({Step::Kind::kGrow, {}, {}, 1, {}, bytes}); }
void FakeCall::then(std::function<void(FakeCall&)> more) { push({Step::Kind::kThen, {}, {}, 1, std::move(more)}); }
void FakeCall::trap(std::string message) { push({Step::Kind::kTrap, std::move(message), {}, 1, {}}); }
void FakeCall::loop_forever() { burn(uint64_t{1} << 60); }
void FakeCall::result(Value value) { push({Step::Kind::kResult, {}, {std::move(value)}, 1, {}}); }

class FakeInstance final : public Instance {
 public:
  FakeInstance(std::shared_ptr<const FakeModuleSpec> spec, const EngineOptions& options, Host& host,
               const Limits& limits, std::shared_ptr<void> count)
      : spec_(std::move(spec)),
        slice_fuel_(options.slice_fuel),
        host_(host),
        limits_(limits),
        count_(std::move(count)) {}

  void start(const ExportFunction& function, std::vector<Value> args) override {
    CHECK(state_ == State::kIdle, "start() while a call is in progress");
    CHECK(!dead_, "start() after a trap");
    CHECK(initialized_ == (&function != &initialize_function()), "_initialize comes first, once");
    initialized_ = true;
    state_ = State::kRunning;
    function_ = &function;
    outcome_ = {};
    fuel_ = slice_used_ = stop_at_ = 0;
    call_ = {};
    call_.memory_ = &memory_;
    call_.args_ = std::move(args);
    const auto& params = function.type.params;
    bool fit = call_.args_.size() == params.size();
    for (size_t i = 0; fit && i < params.size(); ++i) fit = fits(call_.args_[i], params[i].second);
    const auto script = spec_->exports.find(function.type_name);
    if (!fit) {
      fail(ErrorKind::kHostFailure,
           str_cat("the arguments for ", function.type_name, " aren't of its type, ", function.type.wit()));
    } else if (script != spec_->exports.end()) {
      script->second(call_);
    } else if (&function != &initialize_function()) {
      fail(ErrorKind::kHostFailure, str_cat("the package doesn't export ", function.name));
    }
  }

  Progress run() override {
    CHECK(state_ != State::kIdle, "run() without a call");
    if (state_ == State::kWaiting && !answered(host_.resume(host_call_))) return pause(Progress::kParked);
    while (state_ == State::kRunning) {
      if (call_.steps_.empty()) {
        end();
        break;
      }
      if (!pay(call_.steps_.front())) return pause(Progress::kYielded);
      FakeCall::Step step = std::move(call_.steps_.front());
      call_.steps_.pop_front();
      if (!take(step)) return pause(Progress::kParked);
    }
    return Progress::kDone;
  }

  CallOutcome take_outcome() override {
    CHECK(state_ == State::kDone, "take_outcome() of a call that isn't done");
    state_ = State::kIdle;
    outcome_.fuel = fuel_;
    return std::exchange(outcome_, {});
  }

  uint64_t fuel_used() const override { return fuel_; }
  uint64_t memory_bytes() const override { return memory_.size(); }
  void stop_at_fuel(uint64_t fuel) override { stop_at_ = fuel; }

 private:
  enum class State : uint8_t { kIdle, kRunning, kWaiting, kDone };

  // Takes a step's fuel, all or as much as the slice and the stop leave; true when all is paid. A host call that is
  // paid for just where the guest is to be stopped is still made: a guest is also killed while it waits in one.
  bool pay(FakeCall::Step& step) {
    if (stop_at_ != 0 && fuel_ >= stop_at_ && step.fuel > 0) return false;
    uint64_t share = std::min(step.fuel, slice_fuel_ - slice_used_);
    if (stop_at_ > fuel_) share = std::min(share, stop_at_ - fuel_);
    fuel_ += share;
    slice_used_ += share;
    step.fuel -= share;
    if (step.fuel == 0 && slice_used_ < slice_fuel_ &&
        (stop_at_ == 0 || fuel_ < stop_at_ || step.kind == FakeCall::Step::Kind::kHost))
      return true;
    slice_used_ = 0;
    return false;
  }

  Progress pause(Progress why) {
    if (state_ == State::kDone) return Progress::kDone;
    if (stop_at_ == 0 || fuel_ < stop_at_) return why;
    fail(ErrorKind::kKilled, str_cat("stopped after ", fuel_, " fuel"));
    return Progress::kDone;
  }

  // False if the host isn't ready.
  bool take(FakeCall::Step& step) {
    switch (step.kind) {
      case FakeCall::Step::Kind::kHost: return ask(step);
      case FakeCall::Step::Kind::kBurn: break;
      case FakeCall::Step::Kind::kGrow: grow(step.bytes); break;
      case FakeCall::Step::Kind::kThen:
        call_.insert_at_ = 0;
        step.more(call_);
        break;
      case FakeCall::Step::Kind::kTrap: fail(ErrorKind::kTrap, step.text); break;
      case FakeCall::Step::Kind::kResult: outcome_.results = std::move(step.values); break;
    }
    return true;
  }

  void grow(uint64_t bytes) {
    if (bytes <= limits_.memory_bytes) {
      memory_.resize(bytes);
    } else {
      outcome_.refused.memory_bytes = std::max(outcome_.refused.memory_bytes, bytes);
    }
  }

  bool ask(FakeCall::Step& step) {
    const HostFunction* function = find_host_function_by_type(step.text);
    CHECK(function != nullptr && std::count(spec_->imports.begin(), spec_->imports.end(), step.text) == 1,
          "a script calls ", step.text, ", which it doesn't import");
    if (!function->recorded) {
      call_.answers_.push_back(Value::u64(host_.wall_ns()));  // timing's now is the only typed one
      return true;
    }
    host_call_ = {};
    host_call_.function = function;
    host_call_.args = std::move(step.values);
    return answered(host_.call(host_call_));
  }

  bool answered(HostStatus status) {
    if (status == HostStatus::kParked) {
      state_ = State::kWaiting;
      return false;
    }
    state_ = State::kRunning;
    const auto& type = host_call_.function->type.result;
    if (status == HostStatus::kTrap) {
      fail(host_call_.trap_kind, str_cat(host_call_.function->type_name, ": ", host_call_.error));
    } else if (host_call_.results.size() != (type ? 1 : 0) || (type && !fits(host_call_.results[0], *type))) {
      fail(ErrorKind::kHostFailure, str_cat(host_call_.function->type_name, ": the host's answer isn't of the type ",
                                            host_call_.function->type.wit()));
    } else if (type) {
      call_.answers_.push_back(std::move(host_call_.results[0]));
    }
    return true;
  }

  void end() {
    const auto& type = function_->type.result;
    const bool fit = type ? outcome_.results.size() == 1 && fits(outcome_.results[0], *type) : outcome_.results.empty();
    if (!fit)
      return fail(ErrorKind::kTrap, str_cat(function_->type_name, ": result: not of the type ", function_->type.wit()));
    state_ = State::kDone;
  }

  void fail(ErrorKind kind, std::string message) {
    outcome_.results.clear();
    outcome_.trap = Trap{kind, message + refused_text(outcome_.refused, limits_)};
    dead_ = true;
    state_ = State::kDone;
  }

  std::shared_ptr<const FakeModuleSpec> spec_;
  const uint64_t slice_fuel_;
  Host& host_;
  const Limits limits_;
  std::shared_ptr<void> count_;  // gives the engine its place back

  State state_ = State::kIdle;
  bool initialized_ = false;
  bool dead_ = false;
  Bytes memory_;
  const ExportFunction* function_ = nullptr;
  FakeCall call_;
  HostCall host_call_;
  CallOutcome outcome_;
  uint64_t fuel_ = 0;
  uint64_t slice_used_ = 0;
  uint64_t stop_at_ = 0;
};

namespace {

class FakeModule final : public Module {
 public:
  using MakeInstance = std::function<Result<std::unique_ptr<Instance>>(Host&, const Limits&)>;

  FakeModule(Hash package, std::shared_ptr<const FakeModuleSpec> spec, MakeInstance make)
      : package_(package), spec_(std::move(spec)), make_(std::move(make)) {
    for (const std::string& name : spec_->imports) imports_.push_back(find_host_function_by_type(name));
    for (const auto& [type_name, script] : spec_->exports) {
      const size_t mark = type_name.rfind('/');
      if (mark == std::string::npos) continue;
      auto function = callable_function(str_cat(type_name.substr(0, mark), "#", type_name.substr(mark + 1)));
      if (function) callables_.push_back(std::move(*function));
    }
  }

  const Hash& package() const override { return package_; }
  const std::vector<const HostFunction*>& imports() const override { return imports_; }
  bool exports(const ExportFunction& function) const override { return spec_->exports.contains(function.type_name); }
  const std::vector<ExportFunction>& callables() const override { return callables_; }
  Result<std::unique_ptr<Instance>> instantiate(Host& host, const Limits& limits) override {
    return make_(host, limits);
  }

 private:
  const Hash package_;
  std::shared_ptr<const FakeModuleSpec> spec_;
  MakeInstance make_;
  std::vector<const HostFunction*> imports_;
  std::vector<ExportFunction> callables_;
};

}  // namespace

FakeEngine::FakeEngine(EngineOptions options) : shared_(std::make_shared<Shared>()) {
  shared_->options = std::move(options);
  profile_.text = "engine=fake 1\n";
  profile_.hash = sha256(as_bytes(profile_.text));
}

FakeEngine::~FakeEngine() = default;

void FakeEngine::add(BytesView package, FakeModuleSpec spec) {
  for (const std::string& name : spec.imports)
    CHECK(find_host_function_by_type(name) != nullptr, "no host function ", name);
  shared_->packages[sha256(package)] = std::make_shared<const FakeModuleSpec>(std::move(spec));
}

Result<std::shared_ptr<Module>> FakeEngine::compile(BytesView package) {
  ++shared_->compilations;
  return make(package);
}

uint64_t FakeEngine::compilations() const { return shared_->compilations; }

Result<Bytes> FakeEngine::serialize(const Module& module) { return to_bytes("fake code of " + module.package().hex()); }

Result<std::shared_ptr<Module>> FakeEngine::load(BytesView package, BytesView serialized) {
  if (as_text(serialized) == "fake code of " + sha256(package).hex()) return make(package);
  return Error{ErrorCode::kInvalid, "not what this FakeEngine serialized"};
}

Result<std::shared_ptr<Module>> FakeEngine::make(BytesView package) {
  const Hash hash = sha256(package);
  const auto found = shared_->packages.find(hash);
  if (found == shared_->packages.end())
    return Error{ErrorCode::kInvalid, "not a package that was added to this FakeEngine"};
  if (!found->second->exports.contains(init_function().type_name)) {
    return Error{ErrorCode::kInvalid, str_cat("doesn't export ", init_function().name)};
  }
  auto make = [shared = shared_, spec = found->second](Host& host,
                                                       const Limits& limits) -> Result<std::unique_ptr<Instance>> {
    if (shared->instances.fetch_add(1) >= shared->options.instances_max) {
      shared->instances.fetch_sub(1);
      return Error{ErrorCode::kUnavailable,
                   str_cat(shared->options.instances_max, " actors are alive, which is the most")};
    }
    std::shared_ptr<void> count(nullptr, [shared](void*) { shared->instances.fetch_sub(1); });
    return std::unique_ptr<Instance>(
        std::make_unique<FakeInstance>(spec, shared->options, host, limits, std::move(count)));
  };
  return std::shared_ptr<Module>(std::make_shared<FakeModule>(hash, found->second, std::move(make)));
}

}  // namespace theater::wasm
