// What a guest was granted, from the manifest that its genesis names: its limits, since where memory.grow says no is
// part of what must come out the same, and which of the node's variables are secrets.
#pragma once

#include "persist/chain_reader.h"
#include "wasm/engine.h"

namespace theater::replay {

Result<wasm::Limits> recorded_limits(persist::ChainReader& reader, const schema::Genesis& genesis);
Result<std::vector<std::string>> recorded_secrets(persist::ChainReader& reader, const schema::Genesis& genesis);

}  // namespace theater::replay
