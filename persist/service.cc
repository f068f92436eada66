#include "persist/service.h"

#include <deque>

#include "base/thread.h"
#include "persist/blob_part.h"
#include "persist/store_reader.h"

namespace theater::persist {
namespace {

using bus::Role;
using schema::Value;

constexpr uint64_t kReaderAgeMaxNs = 200'000'000;  // an answer may be that much behind

template <typename Id>
Result<Id> id_field(const Value& args, std::string_view name) {
  TRY_ASSIGN(const std::string text, bus::text_field(args, name));
  const auto id = Id::from_hex_text(text);
  if (!id) return Error{ErrorCode::kInvalid, str_cat("'", name, "' must have 64 hexadecimal digits")};
  return *id;
}

Value record_of(uint64_t number, const ChainSummary& summary) {
  return Value::record({{"number", Value::u64(number)},
                        {"actor", Value::string(summary.actor.hex())},
                        {"name", Value::string(summary.name)},
                        {"node", Value::string(summary.node.hex())},
                        {"status", Value::string(chain_status_name(summary.status))},
                        {"events", Value::u64(summary.events)},
                        {"next-sequence", Value::u64(summary.head.is_zero() ? 0 : summary.last_sequence + 1)},
                        {"head", Value::string(summary.head.is_zero() ? "" : summary.head.hex())}});
}

}  // namespace

std::span<const StoreService::Verb> StoreService::verbs() {
  static constexpr Verb kVerbs[] = {
      {"auditor.status", "reader, auditor", Role::kReader, Role::kAuditor, &StoreService::status},
      {"chain.list", "reader, auditor", Role::kReader, Role::kAuditor, &StoreService::list},
      {"chain.range", "auditor", Role::kAuditor, Role::kAuditor, &StoreService::range},
      {"blob.get", "auditor", Role::kAuditor, Role::kAuditor, &StoreService::blob},
  };
  return kVerbs;
}

std::vector<std::pair<std::string_view, std::string_view>> service_verbs() {
  std::vector<std::pair<std::string_view, std::string_view>> all;
  for (const auto& verb : StoreService::verbs()) all.emplace_back(verb.name, verb.roles);
  return all;
}

void StoreService::start() {
  thread_ = start_thread("answer", [this] { run(); });
}

void StoreService::stop() {
  asked_.close();
  if (thread_.joinable()) thread_.join();
  reader_ = nullptr;
}

void StoreService::handle(const bus::ControlPeer& peer, bus::ControlRequest request,
                          std::shared_ptr<bus::Responder> responder) {
  const uint64_t id = request.id;
  const auto refuse = [&](ErrorCode code, std::string message) {
    responder->respond({id, false, Error{code, std::move(message)}, Value::record({})});
  };
  const Verb* verb = nullptr;
  for (const Verb& each : verbs()) {
    if (each.name == request.verb) verb = &each;
  }
  if (verb == nullptr) {
    return refuse(ErrorCode::kInvalid, str_cat("this auditor knows no verb '", escape(as_bytes(request.verb)), "'"));
  }
  if (!peer.local && !peer.may(verb->role) && !peer.may(verb->other)) {
    return refuse(ErrorCode::kRefused, str_cat("'", peer.name, "' may not ", verb->name, ": that needs the role ",
                                               verb->roles, " in the auditor's authorized keys"));
  }
  if (!count_in(peer.identity)) {
    return refuse(ErrorCode::kUnavailable,
                  str_cat("'", peer.name, "' has ", kRequestsOfOneMax, " questions waiting already; try again"));
  }
  Asked asked{verb, peer.identity, std::move(request), responder};
  if (asked_.try_push(asked)) return;
  count_out(peer.identity);
  refuse(ErrorCode::kUnavailable,
         asked_.closed() ? "the auditor is stopping" : "the auditor has too many questions to answer; try again");
}

bool StoreService::count_in(const PublicKey& peer) {
  std::lock_guard lock(of_peers_mutex_);
  size_t& requests = of_peers_[peer];
  if (requests >= kRequestsOfOneMax) return false;
  ++requests;
  return true;
}

void StoreService::count_out(const PublicKey& peer) {
  std::lock_guard lock(of_peers_mutex_);
  if (const auto found = of_peers_.find(peer); --found->second == 0) of_peers_.erase(found);
}

void StoreService::run() {
  while (const auto asked = asked_.pop()) {
    count_out(asked->peer);
    if (asked->responder->gone()) continue;
    auto result = (this->*asked->verb->run)(asked->request.args);
    if (const auto certain = options_.store->certain(); !certain.ok() && asked->verb->run != &StoreService::status) {
      result = certain.error();
    }
    bus::ControlResponse response;
    response.id = asked->request.id;
    if (result.ok()) {
      response.result = std::move(*result);
    } else {
      response.error = result.error();
    }
    asked->responder->respond(std::move(response));
  }
}

// One for many answers: what stands in deltas is read once for each.
Result<ChainReader*> StoreService::reader() {
  const uint64_t now_ns = options_.clock->monotonic_ns();
  if (reader_ == nullptr || now_ns - read_ns_ > kReaderAgeMaxNs) {
    reader_ = nullptr;
    TRY_ASSIGN(reader_, make_chain_reader(options_.store));
    read_ns_ = now_ns;
  }
  return reader_.get();
}

Result<Value> StoreService::status(const Value&) {
  const AuditorStatus status = options_.status();
  std::vector<Value> peers;
  for (const PeerStatus& peer : status.peers) {
    peers.push_back(Value::record({{"name", Value::string(peer.name)},
                                   {"events", Value::u64(peer.events)},
                                   {"refused", Value::u64(peer.refused)},
                                   {"last-result", Value::string(peer.last_result)}}));
  }
  return Value::record({{"frames", Value::u64(status.frames)},
                        {"events", Value::u64(status.events)},
                        {"bytes", Value::u64(status.bytes)},
                        {"commits", Value::u64(status.commits)},
                        {"evidence", Value::u64(status.evidence)},
                        {"gaps", Value::u64(status.gaps)},
                        {"backfilled", Value::u64(status.backfilled)},
                        {"last-error", Value::string(status.last_error)},
                        {"peers", Value::list(std::move(peers))}});
}

Result<Value> StoreService::list(const Value& args) {
  uint64_t after = 0;
  if (bus::find_field(args, "after") != nullptr) {
    TRY_ASSIGN(after, bus::number_field(args, "after"));
  }
  TRY_ASSIGN(ChainReader * chains, reader());
  std::vector<Value> found;
  uint64_t next = 0;
  const auto rows = options_.store->scan(Table::kRows, tag_prefix(kChainTag), chain_key(after + 1));
  for (; rows->valid(); rows->next()) {
    const uint64_t number = RowReader(rows->key().subspan(1)).be64();
    if (found.size() == kChainsMax) break;
    TRY_ASSIGN(const ChainRow row, decode_row<ChainRow>(rows->value()));
    next = number;
    TRY_ASSIGN(const auto current, get_row<uint64_t>(*options_.store, Table::kRows, actor_key(row.actor), "an actor"));
    if (!current || *current != number) continue;  // its actor's genesis came later, from another node
    const auto summary = chains->summary(row.actor);
    // A chain that has just begun may be younger than what the reader saw of its head.
    if (summary.ok()) found.push_back(record_of(number, *summary));
  }
  TRY(rows->status());
  const bool more = rows->valid();
  return Value::record({{"chains", Value::list(std::move(found))}, {"next", Value::u64(more ? next : 0)}});
}

Result<Value> StoreService::range(const Value& args) {
  TRY_ASSIGN(const auto actor, id_field<ActorId>(args, "actor"));
  TRY_ASSIGN(uint64_t first, bus::number_field(args, "first"));
  TRY_ASSIGN(const uint64_t last, bus::number_field(args, "last"));
  if (first > last) return Error{ErrorCode::kInvalid, "'first' is after 'last'"};
  if (last - first >= kRangeEventsMax) first = last - kRangeEventsMax + 1;
  TRY_ASSIGN(ChainReader * chains, reader());
  TRY_ASSIGN(const auto cursor, chains->events(actor, first));
  std::deque<Bytes> held;  // without a hole, up to the newest read
  size_t bytes = 0;
  uint64_t next = first;
  while (next <= last) {
    TRY_ASSIGN(const auto item, cursor->next());
    if (!item || item->sequence > last) break;
    if (item->sequence != next) {
      held.clear();
      bytes = 0;
    }
    held.emplace_back(item->bytes.begin(), item->bytes.end());
    bytes += item->bytes.size();
    for (; bytes > kRangeBytesMax && held.size() > 1; held.pop_front()) bytes -= held.front().size();
    next = item->sequence + 1;
  }
  std::vector<Value> events;
  if (next == last + 1) {
    for (Bytes& event : held) events.push_back(Value::bytes(std::move(event)));
  }
  return Value::record({{"events", Value::list(std::move(events))}});
}

Result<Value> StoreService::blob(const Value& args) {
  TRY_ASSIGN(const auto hash, id_field<Hash>(args, "hash"));
  TRY_ASSIGN(const uint64_t offset, bus::number_field(args, "offset"));
  TRY_ASSIGN(auto part, read_blob_part(*options_.store, hash, offset, kBlobAnswerMax));
  if (!part) {
    return Error{ErrorCode::kNotFound,
                 str_cat("this auditor holds no blob sha256:", hash.hex(), " with a byte ", offset)};
  }
  return Value::record({{"length", Value::u64(part->length)}, {"bytes", Value::bytes(std::move(part->bytes))}});
}

}  // namespace theater::persist
