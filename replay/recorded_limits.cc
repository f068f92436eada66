#include "replay/recorded_limits.h"

#include "base/config.h"

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

}  // namespace theater::replay
