// The limits under which a guest ran, from the manifest that its genesis names: where memory.grow says no is part of
// what must come out the same.
#pragma once

#include "persist/chain_reader.h"
#include "wasm/engine.h"

namespace theater::replay {

Result<wasm::Limits> recorded_limits(persist::ChainReader& reader, const schema::Genesis& genesis);

}  // namespace theater::replay
