#include "wasm/wasmtime_instance.h"

#include <bit>
#include <cstring>

#include "base/check.h"
#include "base/text.h"

namespace theater::wasm {
namespace {

using schema::ErrorKind;
using schema::Value;

// More than any call can use; a call that lasts is cut off by its deadline, not by this.
constexpr uint64_t kFuelTank = uint64_t{1} << 62;

const char* trap_text(wasmtime_trap_code_t code) {
  switch (code) {
    case WASMTIME_TRAP_CODE_STACK_OVERFLOW:
      static_assert(kWasmStackMax == 512 * 1024);
      return "stack overflow: the guest's calls nest too deep for its stack of 512 KiB, which no limit changes";
    case WASMTIME_TRAP_CODE_MEMORY_OUT_OF_BOUNDS: return "access outside its memory";
    case WASMTIME_TRAP_CODE_TABLE_OUT_OF_BOUNDS: return "access outside a table";
    case WASMTIME_TRAP_CODE_INDIRECT_CALL_TO_NULL: return "call of a null function pointer";
    case WASMTIME_TRAP_CODE_BAD_SIGNATURE: return "call through a function pointer of another type";
    case WASMTIME_TRAP_CODE_INTEGER_OVERFLOW: return "integer overflow";
    case WASMTIME_TRAP_CODE_INTEGER_DIVISION_BY_ZERO: return "integer division by zero";
    case WASMTIME_TRAP_CODE_BAD_CONVERSION_TO_INTEGER: return "conversion of a float that fits no integer";
    case WASMTIME_TRAP_CODE_UNREACHABLE_CODE_REACHED:
      return "unreachable code reached (abort, panic or a failed assertion)";
    default: return nullptr;
  }
}

// " (in f < g < h)": the innermost functions, by name or index.
std::string frames_text(const wasm_frame_vec_t& frames) {
  constexpr size_t kFramesShown = 6;
  std::string out;
  for (size_t i = 0; i < frames.size && i < kFramesShown; ++i) {
    const wasm_name_t* name = wasmtime_frame_func_name(frames.data[i]);
    out += out.empty() ? " (in " : " < ";
    out += name != nullptr ? escape(as_bytes(std::string_view(name->data, name->size)))
                           : str_cat("function ", wasm_frame_func_index(frames.data[i]));
  }
  if (frames.size > kFramesShown) out += " < …";
  return out.empty() ? out : out + ")";
}

std::shared_ptr<const FunctionLayout> layout_of(const ExportFunction& function) {
  static const std::vector<std::shared_ptr<const FunctionLayout>> known = [] {
    std::vector<std::shared_ptr<const FunctionLayout>> all;
    for (const ExportFunction& one : export_functions())
      all.push_back(std::make_shared<const FunctionLayout>(lay_out(one.type)));
    return all;
  }();
  for (size_t i = 0; i < known.size(); ++i) {
    if (&function == &export_functions()[i]) return known[i];
  }
  return std::make_shared<const FunctionLayout>(lay_out(function.type));
}

void ignore(wasmtime_error_t* error) { CHECK(error == nullptr, take_message(error)); }

}  // namespace

uint64_t raw_bits(const wasmtime_val_t& value) {
  switch (value.kind) {
    case WASMTIME_I32: return static_cast<uint32_t>(value.of.i32);
    case WASMTIME_I64: return static_cast<uint64_t>(value.of.i64);
    case WASMTIME_F32: return std::bit_cast<uint32_t>(value.of.f32);
    default: return std::bit_cast<uint64_t>(value.of.f64);
  }
}

wasmtime_val_t core_value(uint64_t bits, CoreType type) {
  wasmtime_val_t value{};
  switch (type) {
    case CoreType::kI32:
      value.kind = WASMTIME_I32;
      value.of.i32 = static_cast<int32_t>(bits);
      break;
    case CoreType::kI64:
      value.kind = WASMTIME_I64;
      value.of.i64 = static_cast<int64_t>(bits);
      break;
    case CoreType::kF32:
      value.kind = WASMTIME_F32;
      value.of.f32 = std::bit_cast<float>(static_cast<uint32_t>(bits));
      break;
    case CoreType::kF64:
      value.kind = WASMTIME_F64;
      value.of.f64 = std::bit_cast<double>(bits);
      break;
  }
  return value;
}

void GuestCall::begin(wasmtime_context_t* context, const wasmtime_func_t& callee, std::span<const uint64_t> raw,
                      const std::vector<CoreType>& types, size_t result_count) {
  CHECK(!future && raw.size() <= args.size() && raw.size() == types.size());
  function = callee;
  for (size_t i = 0; i < raw.size(); ++i) args[i] = core_value(raw[i], types[i]);
  future.reset(
      wasmtime_func_call_async(context, &function, args.data(), raw.size(), &result, result_count, &trap, &error));
}

bool GuestCall::poll() {
  if (!wasmtime_call_future_poll(future.get())) return false;
  future.reset();
  return true;
}

uint64_t GuestCall::raw_result() const { return raw_bits(result); }

void GuestCall::reset() {
  future.reset();
  if (trap != nullptr) wasm_trap_delete(std::exchange(trap, nullptr));
  if (error != nullptr) wasmtime_error_delete(std::exchange(error, nullptr));
}

Trap take_trap(GuestCall& call) {
  Trap trap;
  wasm_frame_vec_t frames{};
  if (call.trap != nullptr) {
    wasm_trap_trace(call.trap, &frames);
    wasmtime_trap_code_t code = 0xff;
    const char* text = wasmtime_trap_code(call.trap, &code) ? trap_text(code) : nullptr;
    if (code == WASMTIME_TRAP_CODE_STACK_OVERFLOW) trap.kind = ErrorKind::kLimit;
    if (text != nullptr) {
      trap.message = text;
    } else {
      wasm_message_t message;
      wasm_trap_message(call.trap, &message);
      trap.message.assign(message.data, message.size > 0 ? message.size - 1 : 0);
      wasm_name_delete(&message);
    }
    trap.message += frames_text(frames);
  } else {
    wasmtime_error_wasm_trace(call.error, &frames);
    const std::string where = frames_text(frames);
    std::string message = take_message(std::exchange(call.error, nullptr));
    // Wasmtime puts its own backtrace, addresses and all, before the cause.
    constexpr std::string_view kCause = "Caused by: ";
    const size_t cause = message.starts_with("error while executing at wasm") ? message.find(kCause) : message.npos;
    if (cause != message.npos) message.erase(0, cause + kCause.size());
    trap.message = message + where;
  }
  wasm_frame_vec_delete(&frames);
  call.reset();
  return trap;
}

GuestInstance::GuestInstance(std::shared_ptr<ModuleState> module, Host& host, const Limits& limits)
    : module_(std::move(module)),
      host_(host),
      limits_(limits),
      growth_{limits.memory_bytes, limits.table_elements, 0, 0, false} {
  store_.reset(wasmtime_store_new(module_->engine->engine.get(), this, nullptr));
  theater_store_set_limits(store_.get(), &growth_);
  context_ = wasmtime_store_context(store_.get());
  ignore(wasmtime_context_set_fuel(context_, kFuelTank));
  ignore(wasmtime_context_fuel_async_yield_interval(context_, module_->engine->options.slice_fuel));
}

GuestInstance::~GuestInstance() {
  top_.reset();
  store_.reset();
  module_->engine->instances.fetch_sub(1, std::memory_order_relaxed);
}

void GuestInstance::start(const ExportFunction& function, std::vector<Value> args) {
  CHECK(phase_ == Phase::kIdle, "start() while a call is in progress");
  CHECK(!dead_, "start() after a trap");
  function_ = &function;
  outcome_ = {};
  growth_.memory_refused = growth_.table_refused = 0;
  args_ = std::move(args);
  stop_at_ = 0;
  ignore(wasmtime_context_set_fuel(context_, kFuelTank));
  if (interval_changed_) set_yield_interval();
  if (!instantiated_) {
    CHECK(&function == &initialize_function(), "the first call of an instance must be _initialize");
    begin_instantiate();
  } else {
    CHECK(&function != &initialize_function(), "_initialize is called once");
    begin_call(function);
  }
}

void GuestInstance::begin_instantiate() {
  phase_ = Phase::kInstantiate;
  top_.future.reset(
      wasmtime_instance_pre_instantiate_async(module_->pre.get(), context_, &instance_, &top_.trap, &top_.error));
}

bool GuestInstance::lookup(const std::string& name, wasmtime_func_t* out) {
  wasmtime_extern_t item;
  if (!wasmtime_instance_export_get(context_, &instance_, name.data(), name.size(), &item)) return false;
  const bool is_function = item.kind == WASMTIME_EXTERN_FUNC;
  if (is_function) *out = item.of.func;
  wasmtime_extern_delete(&item);
  return is_function;
}

void GuestInstance::bind_exports() {
  instantiated_ = true;
  if (bound_) return;
  wasmtime_extern_t item;
  CHECK(wasmtime_instance_export_get(context_, &instance_, "memory", 6, &item) && item.kind == WASMTIME_EXTERN_MEMORY);
  memory_ = item.of.memory;
  wasmtime_extern_delete(&item);
  CHECK(lookup("cabi_realloc", &realloc_));
  bound_ = true;
}

bool GuestInstance::find_callee(const ExportFunction& function) {
  for (callee_ = 0; callee_ < callees_.size(); ++callee_) {
    if (callees_[callee_].function == &function) return true;
  }
  Callee callee{&function, layout_of(function), {}, {}, false};
  const CoreSignature* signature = module_->export_signature(function.name);
  if (signature == nullptr) {
    fail(ErrorKind::kHostFailure, str_cat("the package doesn't export ", function.name));
    return false;
  }
  if (*signature != callee.layout->export_signature) {
    fail(ErrorKind::kHostFailure, str_cat("the package exports ", function.name, " with the signature ",
                                          signature->text(), ", not ", callee.layout->export_signature.text()));
    return false;
  }
  CHECK(lookup(function.name, &callee.entry));
  callee.has_post = lookup("cabi_post_" + function.name, &callee.post);
  callees_.push_back(std::move(callee));
  return true;
}

void GuestInstance::begin_call(const ExportFunction& function) {
  phase_ = Phase::kAllocate;
  next_allocation_ = 0;
  if (!find_callee(function) || !plan_arguments()) return;
}

bool GuestInstance::plan_arguments() {
  const auto& params = function_->type.params;
  bool fit = args_.size() == params.size();
  for (size_t i = 0; fit && i < params.size(); ++i) fit = fits(args_[i], params[i].second);
  if (!fit) {
    fail(ErrorKind::kHostFailure,
         str_cat("the arguments for ", function_->type_name, " aren't of its type, ", function_->type.wit()));
    return false;
  }
  lowering_.clear();
  const auto& area = callees_[callee_].layout->params_area;
  bool room = !area || lowering_.plan_area(area->size(), area->alignment());
  for (size_t i = 0; room && i < params.size(); ++i) room = lowering_.plan(args_[i], params[i].second);
  if (!room)
    fail(ErrorKind::kLimit,
         str_cat("the arguments for ", function_->type_name, " take more than ", Lowering::kBytesMax, " bytes"));
  return room;
}

std::span<uint8_t> GuestInstance::memory() const {
  return {wasmtime_memory_data(context_, &memory_), wasmtime_memory_data_size(context_, &memory_)};
}

void GuestInstance::begin_realloc(GuestCall& call, const Lowering::Allocation& allocation) {
  static const std::vector<CoreType> types(4, CoreType::kI32);
  const uint64_t raw[] = {0, 0, allocation.alignment, allocation.size};
  inside_realloc_ = true;
  call.begin(context_, realloc_, raw, types, 1);
}

void GuestInstance::begin_entry() {
  phase_ = Phase::kCall;
  inside_realloc_ = false;
  const Callee& callee = callees_[callee_];
  const auto& params = function_->type.params;
  std::vector<uint64_t> flat;
  flat.reserve(kFlatParamsMax);
  uint8_t* base = memory().data();
  if (const auto& area = callee.layout->params_area) {
    const uint32_t address = lowering_.next_area();
    lowering_.to_memory(Value::tuple(std::move(args_)), *area, base, address);
    flat.push_back(address);
  } else {
    for (size_t i = 0; i < params.size(); ++i) lowering_.to_flat(args_[i], params[i].second, base, flat);
  }
  args_.clear();
  const CoreSignature& signature = callee.layout->export_signature;
  top_.begin(context_, callee.entry, flat, signature.params, signature.results.size());
}

void GuestInstance::take_result() {
  const Callee& callee = callees_[callee_];
  if (function_->type.result) {
    const auto view = memory();
    LiftBudget budget;
    Lifter lifter(view, budget);
    const uint64_t raw = top_.raw_result();
    const uint64_t* next = &raw;
    auto value = callee.layout->result_in_memory ? lifter.from_memory(*function_->type.result, raw)
                                                 : lifter.from_flat(*function_->type.result, next);
    if (!value) return fail(ErrorKind::kTrap, str_cat(function_->type_name, ": result: ", lifter.error()));
    outcome_.results.push_back(std::move(*value));
  }
  if (!callee.has_post) return finish(std::nullopt);
  phase_ = Phase::kPost;
  inside_realloc_ = true;
  const auto& types = callee.layout->export_signature.results;
  const uint64_t raw = types.empty() ? 0 : top_.raw_result();
  top_.begin(context_, callee.post, std::span(&raw, types.size()), types, 0);
}

void GuestInstance::advance() {
  switch (phase_) {
    case Phase::kInstantiate:
      bind_exports();
      if (!module_->has_initialize) return finish(std::nullopt);
      phase_ = Phase::kInitialize;
      wasmtime_func_t initialize;
      CHECK(lookup("_initialize", &initialize));
      top_.begin(context_, initialize, {}, {}, 0);
      return;
    case Phase::kAllocate: {
      auto& allocations = lowering_.allocations();
      if (next_allocation_ == allocations.size()) return begin_entry();
      begin_realloc(top_, allocations[next_allocation_]);
      return;
    }
    case Phase::kCall: return take_result();
    default: return finish(std::nullopt);
  }
}

Instance::Progress GuestInstance::run() {
  CHECK(phase_ != Phase::kIdle, "run() without a call");
  parked_ = false;
  if (stop_at_ != 0) set_yield_interval();
  while (phase_ != Phase::kDone) {
    if (!top_.future) {
      advance();
      continue;
    }
    if (!top_.poll()) return pause();
    if (top_.failed()) {
      Trap trap = take_trap(top_);
      if (import_trap_) trap = std::move(*import_trap_);
      if (growth_.host_failed) trap.kind = ErrorKind::kHostFailure;
      if (phase_ == Phase::kInstantiate) {
        const bool over_limit = trap.message.find("exceeds") != std::string::npos;
        if (trap.message.find("(in ") == std::string::npos)
          trap.kind = over_limit ? ErrorKind::kLimit : ErrorKind::kHostFailure;
        trap.message = str_cat("instantiation: ", trap.message);
      } else if (phase_ == Phase::kAllocate || phase_ == Phase::kPost) {
        trap.message = str_cat(phase_ == Phase::kPost ? "cabi_post_ of " : "cabi_realloc for the arguments of ",
                               function_->type_name, ": ", trap.message);
      }
      finish(std::move(trap));
    } else if (phase_ == Phase::kAllocate) {
      auto& allocation = lowering_.allocations()[next_allocation_++];
      allocation.pointer = static_cast<uint32_t>(top_.raw_result());
      const std::string wrong = Lowering::check_pointer(allocation, memory().size());
      if (!wrong.empty())
        fail(ErrorKind::kTrap, str_cat("arguments of ", function_->type_name, ": ", wrong));
      else
        advance();
    } else {
      advance();
    }
  }
  return Progress::kDone;
}

Instance::Progress GuestInstance::pause() {
  if (stop_at_ != 0 && fuel_used() >= stop_at_) {
    fail(ErrorKind::kKilled, str_cat("stopped after ", fuel_used(), " fuel"));
    return Progress::kDone;
  }
  return parked_ ? Progress::kParked : Progress::kYielded;
}

// A slice, or less where the call is to be stopped within it. Starts a new slice.
void GuestInstance::set_yield_interval() {
  uint64_t interval = module_->engine->options.slice_fuel;
  const uint64_t used = fuel_used();
  if (stop_at_ > used) interval = std::min(interval, stop_at_ - used);
  interval_changed_ = stop_at_ != 0;
  ignore(wasmtime_context_fuel_async_yield_interval(context_, interval));
}

void GuestInstance::fail(ErrorKind kind, std::string message) { finish(Trap{kind, std::move(message)}); }

void GuestInstance::finish(std::optional<Trap> trap) {
  outcome_.fuel = fuel_used();
  outcome_.refused = {growth_.memory_refused, growth_.table_refused};
  top_.reset();
  if (trap) {
    trap->message += refused_text(outcome_.refused, limits_);
    dead_ = true;
    outcome_.results.clear();
  }
  outcome_.trap = std::move(trap);
  import_trap_.reset();
  inside_realloc_ = false;
  args_.clear();
  phase_ = Phase::kDone;
}

CallOutcome GuestInstance::take_outcome() {
  CHECK(phase_ == Phase::kDone, "take_outcome() of a call that isn't done");
  phase_ = Phase::kIdle;
  return std::exchange(outcome_, {});
}

uint64_t GuestInstance::fuel_used() const {
  uint64_t left = 0;
  ignore(wasmtime_context_get_fuel(context_, &left));
  return kFuelTank - left;
}

uint64_t GuestInstance::memory_bytes() const { return bound_ ? wasmtime_memory_data_size(context_, &memory_) : 0; }

Result<std::unique_ptr<Instance>> make_instance(std::shared_ptr<ModuleState> module, Host& host, const Limits& limits) {
  EngineState& engine = *module->engine;
  if (limits.memory_bytes > engine.options.memory_max_bytes) {
    return Error{ErrorCode::kRefused,
                 str_cat("limits.memory is ", limits.memory_bytes, " bytes; the engine gives at most ",
                         engine.options.memory_max_bytes, " (limits.memory_max of node.toml)")};
  }
  if (module->memory_min_bytes > limits.memory_bytes) {
    return Error{ErrorCode::kRefused, str_cat("the package begins with a memory of ", module->memory_min_bytes,
                                              " bytes; limits.memory is ", limits.memory_bytes)};
  }
  if (engine.instances.fetch_add(1, std::memory_order_relaxed) >= engine.instances_max) {
    engine.instances.fetch_sub(1, std::memory_order_relaxed);
    return Error{ErrorCode::kUnavailable,
                 str_cat(engine.instances_max, " actors are alive, which is the most: ", engine.limit_reason)};
  }
  return std::unique_ptr<Instance>(std::make_unique<GuestInstance>(std::move(module), host, limits));
}

}  // namespace theater::wasm
