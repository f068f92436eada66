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

// How to make an engine for the replay of this chain: with the profile that its genesis names if there is such a one
// here, and in any case with room for the memory that its manifest grants. What can't be read is for the replay to say.
wasm::EngineOptions recorded_engine(persist::ChainReader& reader, const ActorId& actor);

}  // namespace theater::replay
