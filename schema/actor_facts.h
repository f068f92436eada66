// Facts that the host states about an actor on the actor's own chain and that replay has to follow, because what the
// guest does afterwards depends on them. All other facts are for readers. docs/formats/event.md has the page.
#pragma once

#include <string_view>

namespace theater::schema {

// The instance is dropped right after this, and with it the guest's memory; the state is kept. What comes next is
// `_initialize` in a fresh instance, or the chain's end. Its value is a record: `reason`, a string.
inline constexpr std::string_view kFactPassivated = "actor/passivated";

}  // namespace theater::schema
