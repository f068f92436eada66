#include "replay/recorded_limits.h"

#include <algorithm>

#include "base/config.h"
#include "schema/codec.h"

namespace theater::replay {
namespace {

Result<Config> recorded_manifest(persist::ChainReader& reader, const schema::Genesis& genesis) {
  TRY_ASSIGN(const Bytes text, reader.blob(genesis.manifest));
  return Config::parse(as_text(text), "the recorded manifest");
}

}  // namespace

Result<wasm::Limits> recorded_limits(persist::ChainReader& reader, const schema::Genesis& genesis) {
  wasm::Limits limits;
  TRY_ASSIGN(const auto manifest, recorded_manifest(reader, genesis));
  if (const auto table = manifest.root().table("limits")) {
    limits.memory_bytes = table->size_bytes("memory", limits.memory_bytes);
    limits.table_elements =
        static_cast<uint32_t>(table->number("table_elements", limits.table_elements, 0, UINT32_MAX));
  }
  return limits;
}

Result<std::vector<std::string>> recorded_secrets(persist::ChainReader& reader, const schema::Genesis& genesis) {
  std::vector<std::string> names;
  TRY_ASSIGN(const auto manifest, recorded_manifest(reader, genesis));
  for (const auto& handler : manifest.root().tables("handler")) {
    if (handler.text("type") == "environment") names = handler.texts("secrets");
  }
  return names;
}

Result<std::optional<supervise::SupervisorSpec>> recorded_supervisor(persist::ChainReader& reader,
                                                                     const schema::Genesis& genesis) {
  TRY_ASSIGN(const auto manifest, recorded_manifest(reader, genesis));
  auto spec = supervise::read_spec(manifest.root());
  for (const auto& handler : manifest.root().tables("handler")) {
    if (!spec && handler.text("type") == "supervisor") spec.emplace();
  }
  return spec;
}

wasm::EngineOptions recorded_engine(persist::ChainReader& reader, const ActorId& actor) {
  constexpr uint64_t kMiB = 1 << 20;
  wasm::EngineOptions options;
  options.instances_max = 10;
  const auto cursor = reader.events(actor);
  if (!cursor.ok()) return options;
  const auto first = (*cursor)->next();
  if (!first.ok() || !*first) return options;
  const auto event = schema::decode_event((*first)->bytes);
  if (!event.ok()) return options;
  const auto* genesis = std::get_if<schema::Genesis>(&event->body);
  if (genesis == nullptr || genesis->package.is_zero()) return options;
  const auto fits = [&] { return wasm::wasmtime_profile(options).hash == genesis->engine_profile; };
  if (fits()) return options;
  // A profile is a hash; of what stands in it, a node's configuration says only this.
  for (uint64_t mib = 1; mib <= 4096; ++mib) {
    options.memory_max_bytes = mib * kMiB;
    if (fits()) return options;
  }
  const auto limits = recorded_limits(reader, *genesis);
  const uint64_t granted = limits.ok() ? (limits->memory_bytes + kMiB - 1) / kMiB * kMiB : 0;
  options.memory_max_bytes = std::clamp(granted, wasm::EngineOptions().memory_max_bytes, uint64_t{4} << 30);
  return options;
}

}  // namespace theater::replay
