#include "bus/control.h"
#include "persist/peer.h"

namespace theater::persist {
namespace {

using schema::Value;

constexpr uint64_t kTimeoutMs = 5'000;

class RemotePeer final : public Peer {
 public:
  explicit RemotePeer(RemotePeerOptions options) : options_(std::move(options)) {}
  const std::string& name() const override { return options_.name; }
  const PublicKey& identity() const override { return options_.server.identity; }

  Result<std::vector<Bytes>> range(const ActorId& actor, uint64_t first, uint64_t last) override {
    auto answer = ask("chain.range", Value::record({{"actor", Value::string(actor.hex())},
                                                    {"first", Value::u64(first)},
                                                    {"last", Value::u64(last)}}));
    if (!answer.ok()) {
      if (answer.error().code == ErrorCode::kNotFound) return std::vector<Bytes>();
      return answer.error();
    }
    const Value* found = bus::find_field(*answer, "events");
    const auto* list = found == nullptr ? nullptr : found->get<Value::List>();
    if (list == nullptr || list->items.size() > kRangeEventsMax) return strange("events");
    std::vector<Bytes> events;
    events.reserve(list->items.size());
    for (const Value& item : list->items) {
      const Bytes* bytes = item.get<Bytes>();
      if (bytes == nullptr) return strange("events");
      events.push_back(*bytes);
    }
    return events;
  }

  Result<std::optional<BlobPart>> blob(const Hash& hash, uint64_t offset) override {
    auto answer = ask("blob.get", Value::record({{"hash", Value::string(hash.hex())}, {"offset", Value::u64(offset)}}));
    if (!answer.ok()) {
      if (answer.error().code == ErrorCode::kNotFound) return std::optional<BlobPart>();
      return answer.error();
    }
    BlobPart part;
    TRY_ASSIGN(part.length, bus::number_field(*answer, "length"));
    TRY_ASSIGN(part.bytes, bus::bytes_field(*answer, "bytes"));
    return std::optional(std::move(part));
  }

 private:
  Error strange(std::string_view field) const {
    return Error{ErrorCode::kInvalid, str_cat("auditor ", options_.name, " answers without a list of ", field,
                                              "; is it of another version?")};
  }

  Result<Value> ask(const std::string& verb, Value args) {
    if (client_ == nullptr) {
      bus::ControlClient::Options connecting;
      connecting.endpoint = options_.endpoint;
      connecting.key_file = options_.key_file;
      connecting.server = options_.server;
      connecting.timeout_ms = kTimeoutMs;
      TRY_ASSIGN(client_, bus::ControlClient::connect(connecting));
    }
    auto answer = client_->call(verb, std::move(args));
    if (!answer.ok() && answer.error().code == ErrorCode::kUnavailable) client_ = nullptr;
    return answer;
  }

  const RemotePeerOptions options_;
  std::unique_ptr<bus::ControlClient> client_;
};

}  // namespace

std::shared_ptr<Peer> make_remote_peer(RemotePeerOptions options) {
  return std::make_shared<RemotePeer>(std::move(options));
}

}  // namespace theater::persist
