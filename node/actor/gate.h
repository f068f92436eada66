// What holds back the effects of an actor with `[audit] effects = "gated"`: a call that reaches outside of it begins,
// and an answer to whoever asked from outside goes out, only when all that the node has sent to the actor's auditors up
// to then is durable at as many of them as its mode asks for. Whatever the world saw of such an actor is on record,
// whenever its node dies. An auditor that is demoted or removed doesn't count any more, but what it alone has is opened
// by its word only (node/chain/durable.h).
//
// One for each gated actor, shared with the answers that are held, which may outlive it. Any thread.
#pragma once

#include <atomic>
#include <cstdint>

#include "node/runtime/runtime.h"

namespace theater::node {

// On the actor's chain: an answer was held until nobody waited for it any more, and thrown away.
inline constexpr const char* kFactAnswerDiscarded = "audit/answer-discarded";

struct Gate {
  std::atomic<uint64_t> durable_to{0};  // events before this sequence are known to be durable
  std::atomic<uint64_t> held{0};        // answers and calls, at the moment
  std::atomic<uint64_t> released{0}, discarded{0};
  std::atomic<uint64_t> wait_ns{0};  // all together, of what was released

  GateInfo info() const {
    return {held.load(std::memory_order_relaxed), released.load(std::memory_order_relaxed),
            discarded.load(std::memory_order_relaxed), wait_ns.load(std::memory_order_relaxed)};
  }

  void release(uint64_t up_to, uint64_t waited_ns) {
    uint64_t known = durable_to.load(std::memory_order_relaxed);
    while (known < up_to && !durable_to.compare_exchange_weak(known, up_to, std::memory_order_relaxed)) {
    }
    released.fetch_add(1, std::memory_order_relaxed);
    wait_ns.fetch_add(waited_ns, std::memory_order_relaxed);
  }
};

}  // namespace theater::node
