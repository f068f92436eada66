#include "replay/comparer.h"

#include <algorithm>

#include "schema/display.h"

namespace theater::replay {
namespace {

// Leaves out what depends on the engine and not on what the guest decided.
void forget_engine(schema::Body& body) {
  if (auto* result = std::get_if<schema::WasmResult>(&body)) result->fuel = 0;
  if (auto* error = std::get_if<schema::ErrorBody>(&body)) {
    error->fuel = 0;
    error->message.clear();
  }
}

}  // namespace

std::string recorded_line(const Tape::Entry& recorded) {
  auto event = schema::decode_event(recorded.bytes);
  if (!event.ok()) return event.error().message;
  return schema::to_line(event.value(), kLineWidth);
}

bool Comparer::matches(const Tape::Entry& recorded, std::string_view type, const schema::Body& body) {
  schema::Header header = recorded.view.header;
  header.type = type;
  schema::encode_event(header, body, buffer_);
  if (std::ranges::equal(buffer_, recorded.bytes)) return true;
  if (!exact_ && type == recorded.view.header.type) {
    auto event = schema::decode_event(recorded.bytes);
    if (event.ok()) {
      schema::Body replayed = body;
      forget_engine(event->body);
      forget_engine(replayed);
      if (event->body == replayed) return true;
    }
  }
  differs(recorded, schema::to_line({header, body}, kLineWidth));
  return false;
}

void Comparer::differs(const Tape::Entry& recorded, std::string did_instead) {
  if (difference_) return;
  difference_ = Difference{recorded.view.header.sequence, recorded_line(recorded), std::move(did_instead)};
}

}  // namespace theater::replay
