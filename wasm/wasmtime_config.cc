// Wasmtime's settings. Each one that can change what a guest does stands in the profile.
#include <sys/mman.h>

#include <fstream>
#include <map>

#include "base/crypto.h"
#include "base/text.h"
#include "wasm/wasmtime_internal.h"

namespace theater::wasm {
namespace {

// The rest is for host functions, which run on the guest's stack.
constexpr size_t kAsyncStackSize = kWasmStackMax + 512 * 1024;
constexpr uint64_t kGuardSize = 64 * 1024;

// Mappings that are not instances': the process itself, its threads, RocksDB, compiled modules.
constexpr uint32_t kMapsReserved = 2'000;
// Measured with 10,000 alive: 2.7 for a memory slot in use, and two for a pooled stack and its guard page, which exist
// from the start.
constexpr uint32_t kMapsPerInstance = 5;
// Stacks beside one for each instance: for a cabi_realloc inside an import, which rarely lasts.
constexpr uint32_t kNestedStacks = 256;
// Memories and tables beside one for each instance. Wasmtime keeps free slots in several lists and looks through them
// one after the other, so that with the last slots a thread may find none while another one frees some.
constexpr uint32_t kSpareSlots = 64;

std::string cpu_features() {
  std::string out;
  const auto add = [&out](bool has, const char* name) {
    if (has) out += std::string(out.empty() ? "" : ",") + name;
  };
#if defined(__x86_64__)
  add(__builtin_cpu_supports("sse3"), "sse3");
  add(__builtin_cpu_supports("ssse3"), "ssse3");
  add(__builtin_cpu_supports("sse4.1"), "sse4.1");
  add(__builtin_cpu_supports("sse4.2"), "sse4.2");
  add(__builtin_cpu_supports("popcnt"), "popcnt");
  add(__builtin_cpu_supports("lzcnt"), "lzcnt");
  add(__builtin_cpu_supports("avx"), "avx");
  add(__builtin_cpu_supports("avx2"), "avx2");
  add(__builtin_cpu_supports("fma"), "fma");
  add(__builtin_cpu_supports("bmi"), "bmi1");
  add(__builtin_cpu_supports("bmi2"), "bmi2");
  add(__builtin_cpu_supports("avx512f"), "avx512f");
  add(__builtin_cpu_supports("avx512dq"), "avx512dq");
  add(__builtin_cpu_supports("avx512vl"), "avx512vl");
  add(__builtin_cpu_supports("avx512bitalg"), "avx512bitalg");
  add(__builtin_cpu_supports("avx512vbmi"), "avx512vbmi");
  return "x86_64:" + out;
#elif defined(__aarch64__)
  return "aarch64";
#else
  return "other";
#endif
}

wasm_config_t* make_config(const EngineOptions& options, uint32_t instances_max) {
  wasm_config_t* config = wasm_config_new();
  wasmtime_config_consume_fuel_set(config, true);
  wasmtime_config_max_wasm_stack_set(config, kWasmStackMax);
  wasmtime_config_async_stack_size_set(config, kAsyncStackSize);
  wasmtime_config_concurrency_support_set(config, false);
  wasmtime_config_cranelift_nan_canonicalization_set(config, true);
  wasmtime_config_wasm_relaxed_simd_deterministic_set(config, true);

  // Threads are refused because the archive is built without them; GC, typed function references and exceptions because
  // there is no collector.
  wasmtime_config_gc_support_set(config, false);
  wasmtime_config_shared_memory_set(config, false);
  wasmtime_config_wasm_memory64_set(config, false);
  wasmtime_config_wasm_multi_memory_set(config, false);
  wasmtime_config_wasm_stack_switching_set(config, false);
  wasmtime_config_wasm_custom_page_sizes_set(config, false);
  wasmtime_config_wasm_wide_arithmetic_set(config, false);

  wasmtime_config_memory_reservation_set(config, options.memory_max_bytes);
  wasmtime_config_memory_guard_size_set(config, kGuardSize);
  wasmtime_config_memory_reservation_for_growth_set(config, 0);

  wasmtime_pooling_allocation_config_t* pool = wasmtime_pooling_allocation_config_new();
  wasmtime_pooling_allocation_config_total_core_instances_set(pool, instances_max);
  wasmtime_pooling_allocation_config_total_memories_set(pool, instances_max + kSpareSlots);
  wasmtime_pooling_allocation_config_total_tables_set(pool, instances_max + kSpareSlots);
  wasmtime_pooling_allocation_config_total_stacks_set(pool, instances_max + kNestedStacks);
  wasmtime_pooling_allocation_config_max_memory_size_set(pool, options.memory_max_bytes);
  wasmtime_pooling_allocation_config_max_memories_per_module_set(pool, 1);
  wasmtime_pooling_allocation_config_max_tables_per_module_set(pool, 1);
  wasmtime_pooling_allocation_config_table_elements_set(pool, kTableElementsMax);
  wasmtime_pooling_allocation_strategy_set(config, pool);
  wasmtime_pooling_allocation_config_delete(pool);
  return config;
}

// Wasmtime aborts the process when it can't reserve its pool; so try first.
bool can_reserve(uint64_t bytes) {
  void* place = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (place == MAP_FAILED) return false;
  munmap(place, bytes);
  return true;
}

}  // namespace

uint32_t instances_that_fit(std::string* why) {
  uint32_t maps = 65'530;
  std::ifstream("/proc/sys/vm/max_map_count") >> maps;
  const uint32_t fit = maps <= kMapsReserved ? 0 : (maps - kMapsReserved) / kMapsPerInstance;
  *why = str_cat("vm.max_map_count is ", maps, ", which has room for ", fit,
                 " (raise it with: sysctl vm.max_map_count=262144)");
  return fit;
}

Result<EnginePtr> make_configured_engine(const EngineOptions& options, uint32_t instances_max) {
  const uint64_t page = 64 * 1024;
  if (options.memory_max_bytes == 0 || options.memory_max_bytes % page != 0 ||
      options.memory_max_bytes > (uint64_t{4} << 30)) {
    return Error{ErrorCode::kInvalid, str_cat("the engine's memory_max_bytes is ", options.memory_max_bytes,
                                              "; it must be a multiple of 65536, at most 4 GiB")};
  }
  if (options.slice_fuel == 0) return Error{ErrorCode::kInvalid, "the engine's slice_fuel is 0; it must be at least 1"};
  if (instances_max == 0)
    return Error{ErrorCode::kUnavailable, "no room for a single actor: vm.max_map_count is too low"};
  const uint64_t reserve =
      (instances_max + kSpareSlots) * (options.memory_max_bytes + kGuardSize + kAsyncStackSize + 8 * kTableElementsMax);
  if (!can_reserve(reserve)) {
    return Error{
        ErrorCode::kUnavailable,
        str_cat("can't reserve ", reserve >> 30, " GiB of address space for ", instances_max, " actors of at most ",
                options.memory_max_bytes >> 20, " MiB; lower instances_max or memory_max_bytes, or lift `ulimit -v`")};
  }
  return EnginePtr(wasm_engine_new_with_config(make_config(options, instances_max)));
}

EngineProfile wasmtime_profile(const EngineOptions& options) {
  const std::map<std::string, std::string> lines = {
      {"abi",
       "args: cabi_realloc in order, call, lift, cabi_post; results: cabi_realloc in order; none for empty ones"},
      {"async_stack_size", str_cat(kAsyncStackSize)},
      {"compiler", "cranelift opt_level=speed nan_canonicalization relaxed_simd_deterministic"},
      {"cpu", cpu_features()},
      {"engine", str_cat("wasmtime ", WASMTIME_VERSION)},
      {"fuel", "1 an operator; block, loop, nop, drop, return, else, end: 0; bulk operations: 1 a byte besides"},
      {"max_wasm_stack", str_cat(kWasmStackMax)},
      {"messages", "2"},  // of traps: records are held against their wording, too
      {"memory_max_bytes", str_cat(options.memory_max_bytes)},
      {"proposals",
       "bulk-memory extended-const function-references multi-value mutable-global nontrapping-fptoint reference-types "
       "relaxed-simd sign-ext simd tail-call"},
  };
  EngineProfile profile;
  for (const auto& [key, value] : lines) profile.text += str_cat(key, "=", value, "\n");
  profile.hash = sha256(as_bytes(profile.text));
  return profile;
}

}  // namespace theater::wasm
