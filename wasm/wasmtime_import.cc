// Calls out of the guest: lift the arguments, ask the host, perhaps wait, lower the answer. This code runs on the
// guest's stack; whatever has to wait goes on in the continuation.
#include "base/check.h"
#include "base/text.h"
#include "wasm/wasmtime_instance.h"

namespace theater::wasm {
namespace {

using schema::ErrorKind;
using schema::Value;

extern "C" bool continue_frame(void* env) {
  auto* frame = static_cast<ImportFrame*>(env);
  return frame->instance->continue_import(*frame);
}

extern "C" void drop_frame(void* env) {
  auto* frame = static_cast<ImportFrame*>(env);
  frame->instance->abandon_import(*frame);
}

extern "C" bool over(void*) { return true; }

}  // namespace

void on_import(void* env, wasmtime_caller_t* caller, const wasmtime_val_t* args, size_t nargs, wasmtime_val_t* results,
               size_t /*nresults*/, wasm_trap_t** trap_ret, wasmtime_async_continuation_t* continuation) {
  *continuation = {over, nullptr, nullptr};
  auto* instance = static_cast<GuestInstance*>(wasmtime_context_get_data(wasmtime_caller_context(caller)));
  instance->import_called(*static_cast<const Import*>(env), caller, args, nargs, results, trap_ret, continuation);
}

void GuestInstance::import_called(const Import& import, wasmtime_caller_t* caller, const wasmtime_val_t* args,
                                  size_t nargs, wasmtime_val_t* results, wasm_trap_t** trap_ret,
                                  wasmtime_async_continuation_t* continuation) {
  CHECK(frame_count_ < frames_.size(), "an import inside an import inside an import");
  auto& slot = frames_[frame_count_];
  if (!slot) {
    slot = std::make_unique<ImportFrame>();
    slot->instance = this;
  }
  ImportFrame& frame = *slot;
  ++frame_count_;
  frame.import = &import;
  frame.raw_count = nargs;
  for (size_t i = 0; i < nargs; ++i) frame.raw[i] = raw_bits(args[i]);
  frame.results = results;
  frame.trap = trap_ret;
  frame.call.function = import.function;
  frame.call.results.clear();
  frame.state = ImportFrame::State::kAsking;

  if (!bind_from_caller(caller)) {
    trap(frame, ErrorKind::kTrap, "the guest's memory and cabi_realloc aren't exported yet");
  } else if (!ask(frame)) {
    *continuation = {continue_frame, &frame, drop_frame};
    return;
  }
  abandon_import(frame);
}

// In a module's start function, instantiation has not handed out the instance yet.
bool GuestInstance::bind_from_caller(wasmtime_caller_t* caller) {
  if (bound_) return true;
  wasmtime_extern_t item;
  if (!wasmtime_caller_export_get(caller, "memory", 6, &item)) return false;
  memory_ = item.of.memory;
  wasmtime_extern_delete(&item);
  if (!wasmtime_caller_export_get(caller, "cabi_realloc", 12, &item)) return false;
  realloc_ = item.of.func;
  wasmtime_extern_delete(&item);
  bound_ = true;
  return true;
}

bool GuestInstance::trap(ImportFrame& frame, ErrorKind kind, std::string message) {
  import_trap_ = Trap{kind, str_cat(frame.import->function->type_name, ": ", message)};
  *frame.trap = wasmtime_trap_new(import_trap_->message.data(), import_trap_->message.size());
  return true;
}

bool GuestInstance::check_nesting(ImportFrame& frame) {
  if (!inside_realloc_ || (!frame.import->needs_realloc && !frame.import->function->waits)) return true;
  trap(frame, ErrorKind::kTrap,
       str_cat("called from inside cabi_realloc or cabi_post_…, where no import may ",
               frame.import->needs_realloc ? "return strings or lists" : "wait"));
  return false;
}

bool GuestInstance::lift_arguments(ImportFrame& frame) {
  const Import& import = *frame.import;
  const auto& params = import.function->type.params;
  auto& args = frame.call.args;
  std::string spare;
  if (!args.empty() && args[0].get<std::string>() != nullptr) spare = std::move(*args[0].get<std::string>());
  args.clear();
  LiftBudget budget;
  Lifter lifter(memory(), budget, std::move(spare));
  if (const auto& area = import.layout.params_area) {
    auto all = lifter.from_memory(*area, frame.raw[0]);
    if (!all) {
      trap(frame, ErrorKind::kTrap, str_cat("arguments: ", lifter.error()));
      return false;
    }
    args = std::move(all->get<Value::Tuple>()->items);
    return true;
  }
  const uint64_t* next = frame.raw.data();
  for (const auto& [name, type] : params) {
    auto value = lifter.from_flat(type, next);
    if (!value) {
      trap(frame, ErrorKind::kTrap, str_cat("argument ", name, ": ", lifter.error()));
      return false;
    }
    args.push_back(std::move(*value));
  }
  return true;
}

// Before the host is asked: a call whose answer has no place to go leaves no event.
bool GuestInstance::check_result_pointer(ImportFrame& frame) {
  if (!frame.import->layout.result_in_memory) return true;
  const Type& type = *frame.import->function->type.result;
  const uint64_t address = frame.raw[frame.raw_count - 1];
  const uint64_t size = memory().size();
  if (address <= size && type.size() <= size - address && address % type.alignment() == 0) return true;
  trap(frame, ErrorKind::kTrap,
       str_cat("the return pointer ", address, " for ", type.size(), " bytes aligned to ", type.alignment(),
               " isn't one into memory (", size, " bytes)"));
  return false;
}

bool GuestInstance::ask(ImportFrame& frame) {
  const Import& import = *frame.import;
  if (!check_nesting(frame)) return true;
  if (import.kind == Import::Kind::kNow) {
    frame.results[0] = core_value(host_.wall_ns(), CoreType::kI64);
    return true;
  }
  if (import.kind == Import::Kind::kPreview1) {
    frame.call.args.clear();
    Preview1Step step = prepare_preview1(import.preview1, std::span(frame.raw.data(), frame.raw_count), memory(), host_,
                                         frame.call.args);
    if (step.kind == Preview1Step::Kind::kTrap) return trap(frame, ErrorKind::kTrap, std::move(step.trap));
    if (step.kind == Preview1Step::Kind::kAnswered) {
      if (!import.signature.results.empty()) frame.results[0] = core_value(step.error_number, CoreType::kI32);
      return true;
    }
    if (import.preview1 == Preview1::kPollOneoff) frame.waited_ns = *frame.call.args[0].get<uint64_t>();
  } else if (!lift_arguments(frame) || !check_result_pointer(frame)) {
    return true;
  }
  const HostStatus status = host_.call(frame.call);
  frame.just_parked = status == HostStatus::kParked;
  return answered(frame, status);
}

bool GuestInstance::continue_import(ImportFrame& frame) {
  if (frame.state == ImportFrame::State::kAllocating) return allocate(frame);
  // Wasmtime polls a continuation as soon as it has it; a host that said "not yet" is asked again at the next run().
  if (std::exchange(frame.just_parked, false)) return false;
  return answered(frame, host_.resume(frame.call));
}

bool GuestInstance::answered(ImportFrame& frame, HostStatus status) {
  if (status == HostStatus::kParked) {
    parked_ = true;
    return false;
  }
  if (status == HostStatus::kTrap) return trap(frame, frame.call.trap_kind, std::move(frame.call.error));
  const auto& type = frame.import->function->type.result;
  const auto& results = frame.call.results;
  if (results.size() != (type ? 1 : 0) || (type && !fits(results[0], *type))) {
    return trap(frame, ErrorKind::kHostFailure,
                str_cat("the host's answer isn't of the type ", frame.import->function->type.wit()));
  }
  if (frame.import->kind == Import::Kind::kPreview1) return answered_preview1(frame);
  return !type || lower_result(frame);
}

bool GuestInstance::answered_preview1(ImportFrame& frame) {
  Preview1Step step = finish_preview1(frame.import->preview1, std::span(frame.raw.data(), frame.raw_count), memory(),
                                      host_, frame.call.results, frame.waited_ns);
  if (step.kind == Preview1Step::Kind::kTrap) {
    const bool guest = frame.import->preview1 == Preview1::kProcExit;
    return trap(frame, guest ? ErrorKind::kTrap : ErrorKind::kHostFailure, std::move(step.trap));
  }
  frame.results[0] = core_value(step.error_number, CoreType::kI32);
  return true;
}

bool GuestInstance::lower_result(ImportFrame& frame) {
  frame.lowering.clear();
  frame.next_allocation = 0;
  if (!frame.lowering.plan(frame.call.results[0], *frame.import->function->type.result)) {
    return trap(frame, ErrorKind::kLimit, str_cat("the answer takes more than ", Lowering::kBytesMax, " bytes"));
  }
  if (frame.lowering.allocations().empty()) {
    write_result(frame);
    return true;
  }
  frame.state = ImportFrame::State::kAllocating;
  begin_realloc(frame.realloc, frame.lowering.allocations()[0]);
  return false;
}

bool GuestInstance::allocate(ImportFrame& frame) {
  auto& allocations = frame.lowering.allocations();
  while (frame.realloc.poll()) {
    if (frame.realloc.failed()) {
      Trap inner = take_trap(frame.realloc);
      if (import_trap_) inner = std::move(*import_trap_);
      return trap(frame, inner.kind, str_cat("cabi_realloc for the answer: ", inner.message));
    }
    auto& allocation = allocations[frame.next_allocation++];
    allocation.pointer = static_cast<uint32_t>(frame.realloc.raw_result());
    const std::string wrong = Lowering::check_pointer(allocation, memory().size());
    if (!wrong.empty()) return trap(frame, ErrorKind::kTrap, str_cat("the answer: ", wrong));
    if (frame.next_allocation == allocations.size()) {
      write_result(frame);
      return true;
    }
    begin_realloc(frame.realloc, allocations[frame.next_allocation]);
  }
  return false;
}

void GuestInstance::write_result(ImportFrame& frame) {
  const Import& import = *frame.import;
  const Type& type = *import.function->type.result;
  uint8_t* base = memory().data();
  if (import.layout.result_in_memory) {
    frame.lowering.to_memory(frame.call.results[0], type, base, frame.raw[frame.raw_count - 1]);
    return;
  }
  std::vector<uint64_t> flat;
  frame.lowering.to_flat(frame.call.results[0], type, base, flat);
  frame.results[0] = core_value(flat[0], import.signature.results[0]);
}

// The end of an import, however it came.
void GuestInstance::abandon_import(ImportFrame& frame) {
  if (frame.state == ImportFrame::State::kFree) return;
  if (frame.state == ImportFrame::State::kAllocating) {
    frame.realloc.reset();
    inside_realloc_ = false;
  }
  frame.state = ImportFrame::State::kFree;
  --frame_count_;
}

}  // namespace theater::wasm
