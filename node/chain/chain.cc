#include "node/chain/chain.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/crypto.h"
#include "bus/outbox.h"
#include "schema/codec.h"

namespace theater::node {

using schema::Value;

namespace {

bool any_large(const std::vector<Value>& values) {
  return std::any_of(values.begin(), values.end(),
                     [](const Value& value) { return schema::encoded_size(value) > Value::kInlineMax; });
}

// The lists of values that a body holds; nullptr where it has none.
struct ValuesOf {
  std::vector<Value>* args = nullptr;
  std::vector<Value>* results = nullptr;
};

ValuesOf values_of(schema::Body& body) {
  if (auto* call = std::get_if<schema::HostCall>(&body)) return {&call->args, &call->results};
  if (auto* call = std::get_if<schema::WasmCall>(&body)) return {&call->args, nullptr};
  if (auto* result = std::get_if<schema::WasmResult>(&body)) return {nullptr, &result->results};
  if (auto* result = std::get_if<schema::HostReturn>(&body)) return {nullptr, &result->results};
  if (auto* shutdown = std::get_if<schema::Shutdown>(&body)) return {&shutdown->data, nullptr};
  return {};
}

}  // namespace

Chain::Chain(Clock& clock, std::function<Waker()> make_waker, uint32_t incarnation)
    : clock_(clock), make_waker_(std::move(make_waker)), incarnation_(incarnation) {}

Chain::~Chain() {
  cancel();
  for (auto& entry : entries_) entry.subscriber->end_of_chain(id_);
}

std::optional<Hash> Chain::head() const { return length_ == 0 ? std::nullopt : std::optional(head_); }

Chain::Tip Chain::tip() const { return Tip{head_, length_, time_ns_, genesis_time_ns_, incarnation_}; }

std::vector<std::shared_ptr<Subscriber>> Chain::take_subscribers() {
  CHECK(!emission_.active, "chain ", id_.short_hex(), " is moved in the middle of an emission");
  evict_closed();
  std::vector<std::shared_ptr<Subscriber>> subscribers;
  for (auto& entry : entries_) subscribers.push_back(std::move(entry.subscriber));
  entries_.clear();
  return subscribers;
}

void Chain::go_on(const ActorId& id, const Tip& tip) {
  CHECK(length_ == 0 && !emission_.active && tip.length > 0, "chain ", id.short_hex(), " goes on over another one");
  id_ = id;
  head_ = tip.head;
  length_ = tip.length;
  time_ns_ = tip.time_ns;
  genesis_time_ns_ = tip.genesis_time_ns;
  incarnation_ = tip.incarnation;
  if (secrets_) secrets_->bind(id_);
}

void Chain::add(std::shared_ptr<Subscriber> subscriber) {
  if (ended_) {
    subscriber->end_of_chain(id_);
    return;
  }
  evict_closed();  // an idle chain must not collect them
  for (const auto& entry : entries_) {
    if (entry.subscriber == subscriber) return;
  }
  entries_.push_back(Entry{.subscriber = std::move(subscriber)});
}

bool Chain::remove(const Subscriber& subscriber) {
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& entry) { return entry.subscriber.get() == &subscriber; });
  if (found == entries_.end()) return false;
  release(*found);
  if (emission_.full == &subscriber) emission_.full = nullptr;
  const auto removed = std::move(found->subscriber);
  entries_.erase(found);
  removed->forget_waker(id_);
  removed->end_of_chain(id_);
  return true;
}

void Chain::begin(std::string_view type, schema::Body body, std::vector<Blob> blobs) {
  CHECK(!emission_.active && !ended_, "two emissions at once, or one after the end, on chain ", id_.short_hex());
  emission_.active = true;
  emission_.type = type;
  emission_.body = std::move(body);
  emission_.blobs = std::move(blobs);
  emission_.args.reset();
  emission_.results.reset();
  emission_.full = nullptr;
  if (secrets_) hide_secrets();
  replace_large_values();
  for (auto& entry : entries_) {
    entry.blobs_done = 0;
    entry.blob_offset = 0;
  }
  if (length_ == 0) {
    // An actor's id is its genesis' hash, and whoever waits for room does so by id: the time is stamped here.
    genesis_time_ns_ = clock_.wall_ns();
    schema::EncodedEvent genesis;
    encode(genesis);
    id_ = actor_id_of(sha256(genesis.bytes));
    if (secrets_) secrets_->bind(id_);
  }
}

void Chain::hide_secrets() {
  const auto values = values_of(emission_.body);
  if (values.args != nullptr && secrets_->any_in(*values.args)) {
    emission_.args = *values.args;
    secrets_->hide(*values.args);
  }
  if (values.results != nullptr && secrets_->any_in(*values.results)) {
    emission_.results = *values.results;
    secrets_->hide(*values.results);
  }
  if (auto* error = std::get_if<schema::ErrorBody>(&emission_.body)) error->message = secrets_->hidden(error->message);
  if (auto* fact = std::get_if<schema::Fact>(&emission_.body)) {
    std::vector<Value> one{std::move(fact->value)};
    secrets_->hide(one);
    fact->value = std::move(one[0]);
  }
}

void Chain::replace_large_values() {
  const auto values = values_of(emission_.body);
  const auto keep_blob = [this](const Hash& hash, Bytes bytes) {
    emission_.blobs.push_back(Blob{hash, std::make_shared<const Bytes>(std::move(bytes))});
  };
  if (values.args != nullptr && any_large(*values.args)) {
    if (!emission_.args) emission_.args = *values.args;
    schema::externalize(*values.args, keep_blob);
  }
  if (values.results != nullptr && any_large(*values.results)) {
    if (!emission_.results) emission_.results = *values.results;
    schema::externalize(*values.results, keep_blob);
  }
}

uint64_t Chain::encode(schema::EncodedEvent& scratch) const {
  schema::Header header;
  header.incarnation = incarnation_;
  header.sequence = length_;
  header.time_ns = length_ == 0 ? genesis_time_ns_ : std::max(time_ns_, clock_.wall_ns());
  if (length_ > 0) header.actor = id_;
  header.parent = head_;
  header.type = emission_.type;
  schema::encode_event(header, emission_.body, scratch.bytes);
  scratch.actor = id_;
  scratch.sequence = length_;
  scratch.kind = schema::kind_of(emission_.body);
  return header.time_ns;
}

Chain::Step Chain::step(schema::EncodedEvent& scratch) {
  CHECK(emission_.active, "no emission on chain ", id_.short_hex());
  evict_closed();
  emission_.full = nullptr;
  for (auto& entry : entries_) {
    while (!send_blobs(entry)) {
      if (!begins_again(entry)) return Step::kParked;
    }
  }
  const uint64_t time_ns = encode(scratch);
  if (scratch.bytes.size() > schema::kEventSizeMax) {
    cancel();
    return Step::kTooLarge;
  }
  for (auto& entry : entries_) {
    while (!send_blobs(entry) || !reserve(entry, scratch.bytes.size())) {
      if (!begins_again(entry)) return Step::kParked;
    }
  }
  deliver(scratch, time_ns);
  return Step::kDone;
}

void Chain::evict_closed() {
  for (size_t i = 0; i < entries_.size();) {
    if (!entries_[i].subscriber->closed()) {
      ++i;
      continue;
    }
    release(entries_[i]);
    entries_.erase(entries_.begin() + static_cast<ptrdiff_t>(i));
  }
}

// A refusal and the room that comes right after it must not miss each other: hence another try after each asking, which
// may find somebody else full.
template <typename TryOnce>
bool Chain::take_room(Entry& entry, TryOnce try_once) {
  auto& subscriber = *entry.subscriber;
  if (try_once()) return true;
  subscriber.when_room(id_, make_waker_());
  do {
    if (!try_once()) continue;
    subscriber.forget_waker(id_);
    return true;
  } while (subscriber.when_room(id_, make_waker_()));
  emission_.full = &subscriber;
  return false;
}

bool Chain::begins_again(Entry& entry) {
  if (!entry.subscriber->begins_again()) return false;
  release(entry);
  entry.blobs_done = 0;
  entry.blob_offset = 0;
  return true;
}

bool Chain::send_blobs(Entry& entry) {
  auto& subscriber = *entry.subscriber;
  for (; entry.blobs_done < emission_.blobs.size(); ++entry.blobs_done) {
    const Blob& blob = emission_.blobs[entry.blobs_done];
    if (entry.blob_offset == 0 && !subscriber.needs_blob(blob.hash)) continue;
    const BytesView all(*blob.bytes);
    do {
      const auto rest = all.subspan(entry.blob_offset);
      const auto piece = rest.first(std::min<size_t>(bus::Outbox::kBlobPieceMax, rest.size()));
      if (!take_room(entry, [&] { return subscriber.try_reserve_blob(id_, blob.hash, piece.size()); })) return false;
      subscriber.deliver_blob(id_, blob.hash, all.size(), entry.blob_offset, piece);
      entry.blob_offset += piece.size();
    } while (entry.blob_offset < all.size());
    entry.blob_offset = 0;
  }
  return true;
}

bool Chain::reserve(Entry& entry, size_t bytes) {
  if (entry.has_room && entry.reserved == bytes) return true;
  release(entry);
  if (!take_room(entry, [&] { return entry.subscriber->try_reserve(id_, bytes); })) return false;
  entry.has_room = true;
  entry.reserved = bytes;
  return true;
}

void Chain::release(Entry& entry) const {
  if (entry.has_room) entry.subscriber->release(id_, entry.reserved);
  entry.has_room = false;
}

void Chain::deliver(schema::EncodedEvent& scratch, uint64_t time_ns) {
  scratch.hash = sha256(scratch.bytes);
  CHECK(length_ > 0 || actor_id_of(scratch.hash) == id_, "genesis changed between its two encodings");
  head_ = scratch.hash;
  time_ns_ = time_ns;
  ++length_;
  for (auto& entry : entries_) {
    entry.has_room = false;
    entry.subscriber->deliver(scratch);
  }
  emission_.active = false;
  emission_.blobs.clear();
  if (schema::is_terminal(scratch.kind)) end();
}

void Chain::end() {
  ended_ = true;
  for (auto& entry : entries_) entry.subscriber->end_of_chain(id_);
  entries_.clear();
}

void Chain::give_up() {
  cancel();
  if (!ended_) end();
}

void Chain::cancel() {
  if (!emission_.active) return;
  for (auto& entry : entries_) {
    release(entry);
    entry.subscriber->forget_waker(id_);
    entry.subscriber->forget_event(id_);
  }
  emission_ = Emission{};
}

std::string Chain::waits_for() const { return emission_.full == nullptr ? "" : emission_.full->name(); }

std::vector<Value> Chain::take_args() {
  if (emission_.args) return std::move(*std::exchange(emission_.args, std::nullopt));
  auto* args = values_of(emission_.body).args;
  return args == nullptr ? std::vector<Value>() : std::move(*args);
}

std::vector<Value> Chain::take_results() {
  if (emission_.results) return std::move(*std::exchange(emission_.results, std::nullopt));
  auto* results = values_of(emission_.body).results;
  return results == nullptr ? std::vector<Value>() : std::move(*results);
}

void Chain::forget_values() {
  CHECK(!emission_.active);
  emission_ = Emission{};
}

}  // namespace theater::node
