#include "bus/memory_transport.h"

#include <utility>

namespace theater::bus {

void MemoryWire::launch(std::shared_ptr<const Bytes> message, uint64_t now_ns) {
  uint64_t arrival_ns = now_ns + faults_.latency_ns;
  if (chance(faults_.delay_permille)) arrival_ns += random_.below(faults_.delay_max_ns + 1);
  flying_.emplace(arrival_ns, std::move(message));
}

bool MemoryWire::send(std::shared_ptr<const Bytes> message, uint64_t now_ns) {
  if (is_cut_ || flying_.size() >= faults_.capacity) return false;
  if (chance(faults_.drop_permille)) return true;
  if (chance(faults_.double_permille)) launch(message, now_ns);
  launch(std::move(message), now_ns);
  return true;
}

std::shared_ptr<const Bytes> MemoryWire::receive(uint64_t now_ns) {
  if (flying_.empty() || flying_.begin()->first > now_ns) return nullptr;
  auto message = std::move(flying_.begin()->second);
  flying_.erase(flying_.begin());
  return message;
}

void MemoryWire::cut() {
  flying_.clear();
  is_cut_ = true;
}

}  // namespace theater::bus
