// What a guest was granted, from the manifest that its genesis names: its limits, since where memory.grow says no is
// part of what must come out the same, which of the node's variables are secrets, and by which rules it supervises.
#pragma once

#include "persist/chain_reader.h"
#include "supervise/spec.h"
#include "wasm/engine.h"

namespace theater::replay {

Result<wasm::Limits> recorded_limits(persist::ChainReader& reader, const schema::Genesis& genesis);
Result<std::vector<std::string>> recorded_secrets(persist::ChainReader& reader, const schema::Genesis& genesis);
// None if the actor can have no children.
Result<std::optional<supervise::SupervisorSpec>> recorded_supervisor(persist::ChainReader& reader,
                                                                     const schema::Genesis& genesis);

}  // namespace theater::replay
