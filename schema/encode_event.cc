#include "schema/body_rules.h"
#include "schema/codec.h"
#include "schema/writer.h"

namespace theater::schema {
namespace wire {
namespace {

void put_id(uint64_t* words, const std::array<uint8_t, 32>& bytes) { std::memcpy(words, bytes.data(), bytes.size()); }

template <typename Out>
void put_origin(Out& out, size_t slot, const Origin& origin) {
  if (const auto* client = std::get_if<Operator>(&origin)) {
    uint64_t data[5] = {kOriginClient};
    put_id(data + 1, client->key.bytes);
    const size_t pointers = put_struct(out, slot, {data, trimmed(data, 5)}, !client->request_id.empty());
    put_text(out, pointers, client->request_id);
  } else if (const auto* cause = std::get_if<Cause>(&origin)) {
    uint64_t data[10] = {kOriginCause};
    put_id(data + 1, cause->actor.bytes);
    data[5] = cause->sequence;
    put_id(data + 6, cause->hash.bytes);
    put_struct(out, slot, {data, trimmed(data, 10)}, 0);
  }
}

bool present(const Origin& origin) { return origin.index() != 0; }

// The number of pointers of a struct: up to the last one that isn't null.
size_t count_pointers(std::initializer_list<bool> are_present) {
  size_t count = 0, i = 0;
  for (const bool is_present : are_present) {
    ++i;
    if (is_present) count = i;
  }
  return count;
}

template <typename Out>
void put_body(Out& out, size_t slot, const Genesis& body) {
  uint64_t data[kGenesisDataWords] = {static_cast<uint64_t>(body.audit.mode) | uint64_t{body.audit.quorum} << 16 |
                                          uint64_t{body.audit.auditors} << 32 | uint64_t{body.audit.gated} << 48,
                                      body.package_length, body.manifest_length};
  std::memcpy(data + 3, body.nonce.data(), kNonceSize);
  put_id(data + 5, body.node.bytes);
  put_id(data + 9, body.manifest.bytes);
  put_id(data + 13, body.package.bytes);
  put_id(data + 17, body.engine_profile.bytes);
  put_id(data + 21, body.previous_life.bytes);
  const size_t pointers = put_struct(out, slot, {data, trimmed(data, kGenesisDataWords)},
                                     count_pointers({!body.name.empty(), present(body.requested_by)}));
  put_text(out, pointers, body.name);
  put_origin(out, pointers + 1, body.requested_by);
}

template <typename Out>
void put_body(Out& out, size_t slot, const WasmCall& body) {
  const size_t pointers = put_struct(out, slot, {}, count_pointers({!body.args.empty(), present(body.origin)}));
  put_values(out, pointers, body.args, 1);
  put_origin(out, pointers + 1, body.origin);
}

template <typename Out>
void put_body(Out& out, size_t slot, const WasmResult& body) {
  const size_t pointers = put_struct(out, slot, {&body.fuel, trimmed(&body.fuel, 1)}, !body.results.empty());
  put_values(out, pointers, body.results, 1);
}

template <typename Out>
void put_body(Out& out, size_t slot, const HostCall& body) {
  const uint64_t data = static_cast<uint64_t>(body.effect);
  const size_t pointers =
      put_struct(out, slot, {&data, trimmed(&data, 1)}, count_pointers({!body.args.empty(), !body.results.empty()}));
  put_values(out, pointers, body.args, 1);
  put_values(out, pointers + 1, body.results, 1);
}

template <typename Out>
void put_body(Out& out, size_t slot, const HostReturn& body) {
  const uint64_t data = static_cast<uint64_t>(body.outcome);
  const size_t pointers = put_struct(out, slot, {&data, trimmed(&data, 1)}, !body.results.empty());
  put_values(out, pointers, body.results, 1);
}

template <typename Out>
void put_body(Out& out, size_t slot, const ErrorBody& body) {
  const uint64_t data[2] = {static_cast<uint64_t>(body.kind) | uint64_t{body.in_call} << 16, body.fuel};
  const size_t pointers = put_struct(out, slot, {data, trimmed(data, 2)},
                                     count_pointers({!body.message.empty(), present(body.requested_by)}));
  put_text(out, pointers, body.message);
  put_origin(out, pointers + 1, body.requested_by);
}

template <typename Out>
void put_body(Out& out, size_t slot, const Shutdown& body) {
  const size_t pointers =
      put_struct(out, slot, {}, count_pointers({!body.reason.empty(), !body.data.empty(), present(body.requested_by)}));
  put_text(out, pointers, body.reason);
  put_values(out, pointers + 1, body.data, 1);
  put_origin(out, pointers + 2, body.requested_by);
}

template <typename Out>
void put_body(Out& out, size_t slot, const Resumed& body) {
  uint64_t data[kResumedDataWords] = {body.call_interrupted};
  put_id(data + 1, body.node.bytes);
  put_id(data + 5, body.engine_profile.bytes);
  const size_t pointers =
      put_struct(out, slot, {data, trimmed(data, kResumedDataWords)},
                 count_pointers({!body.unknown_intents.empty(), !body.dropped.empty(), !body.grant.empty()}));
  if (!body.unknown_intents.empty()) {
    const size_t at = out.allocate(body.unknown_intents.size());
    out.put(pointers, list_pointer(at - pointers - 1, kWordList, body.unknown_intents.size()));
    for (size_t i = 0; i < body.unknown_intents.size(); ++i) out.put(at + i, body.unknown_intents[i]);
  }
  put_texts(out, pointers + 1, body.dropped);
  put_data(out, pointers + 2, body.grant);
}

template <typename Out>
void put_body(Out& out, size_t slot, const Fact& body) {
  put_value(out, put_struct(out, slot, {}, 1), body.value, 1);
}

template <typename Out>
void put_event(Out& out, std::span<const uint64_t> data, const Header& header, const Body& body) {
  const size_t pointers = put_struct(out, out.allocate(1), data, 2);
  put_text(out, pointers, header.type);
  std::visit([&](const auto& kind) { put_body(out, pointers + 1, kind); }, body);
}

}  // namespace
}  // namespace wire

void encode_event(const Header& header, const Body& body, Bytes& out) {
  const BodyKind kind = kind_of(body);
  const char* wrong = header_rule_broken(header, kind);
  CHECK(wrong == nullptr, "event ", header.sequence, " (", header.type, "): ", wrong);
  wrong = body_rule_broken(body);
  CHECK(wrong == nullptr, "event ", header.sequence, " (", header.type, "): ", wrong);

  uint64_t data[wire::kEventDataWords] = {
      uint64_t{kFormatVersion} | static_cast<uint64_t>(kind) << 16 | uint64_t{header.incarnation} << 32,
      header.sequence, header.time_ns};
  wire::put_id(data + 3, header.actor.bytes);
  wire::put_id(data + 7, header.parent.bytes);
  const std::span<const uint64_t> trimmed_data(data, wire::trimmed(data, wire::kEventDataWords));

  wire::Writer writer(out);
  wire::put_event(writer, trimmed_data, header, body);
  writer.finish();
}

}  // namespace theater::schema
