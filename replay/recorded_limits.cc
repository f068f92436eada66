#include "replay/recorded_limits.h"

#include "base/config.h"

namespace theater::replay {

Result<wasm::Limits> recorded_limits(persist::ChainReader& reader, const schema::Genesis& genesis) {
  wasm::Limits limits;
  TRY_ASSIGN(const Bytes text, reader.blob(genesis.manifest));
  TRY_ASSIGN(const auto manifest, Config::parse(as_text(text), "the recorded manifest"));
  if (const auto table = manifest.root().table("limits")) {
    limits.memory_bytes = table->size_bytes("memory", limits.memory_bytes);
    limits.table_elements =
        static_cast<uint32_t>(table->number("table_elements", limits.table_elements, 0, UINT32_MAX));
  }
  return limits;
}

}  // namespace theater::replay
