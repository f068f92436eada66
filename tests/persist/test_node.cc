#include "test_node.h"

#include <chrono>

namespace theater::persist {

using namespace std::chrono_literals;

PublicKey test_key(uint8_t number) {
  PublicKey key;
  key.bytes.fill(number);
  return key;
}

TestChain::TestChain(const Options& options) {
  schema::Genesis genesis;
  genesis.name = options.name;
  genesis.package = options.package;
  genesis.package_length = options.package_length;
  genesis.manifest = options.manifest;
  genesis.manifest_length = options.manifest_length;
  genesis.node = options.node;
  genesis.nonce = Bytes(16, options.nonce);
  add(schema::kTypeGenesis, genesis);
}

const schema::EncodedEvent& TestChain::add(std::string_view type, schema::Body body) {
  schema::Header header;
  header.incarnation = incarnation;
  header.sequence = events.size();
  header.time_ns = time_ns += 1000;
  header.type = type;
  if (!events.empty()) {
    header.actor = actor_;
    header.parent = events.back().hash;
  }
  schema::EncodedEvent event;
  event.kind = schema::kind_of(body);
  event.sequence = header.sequence;
  schema::encode_event(header, body, event.bytes);
  event.hash = sha256(event.bytes);
  if (events.empty()) actor_ = actor_id_of(event.hash);
  event.actor = actor_;
  events.push_back(std::move(event));
  return events.back();
}

const schema::EncodedEvent& TestChain::log(const std::string& text) {
  schema::HostCall call;
  call.args.push_back(schema::Value::string(text));
  return add("theater:simple/runtime@0.1.0/log", std::move(call));
}

const schema::EncodedEvent& TestChain::end() {
  schema::Shutdown body;
  body.reason = "stop";
  return add(schema::kTypeShutdown, std::move(body));
}

uint64_t TestStream::seal() {
  auto sealed = builder.seal(frames.size() + 1, 1'700'000'000'000'000'000 + frames.size(), link_hash, stream);
  link_hash = sealed.link_hash;
  frames.push_back(std::move(sealed.bytes));
  return frames.size();
}

void TestStream::blob(BytesView bytes, size_t piece_size) {
  const Hash hash = sha256(bytes);
  for (size_t at = 0; at < bytes.size(); at += piece_size) {
    builder.append_blob(hash, bytes.size(), at, bytes.subspan(at, std::min(piece_size, bytes.size() - at)));
    seal();
  }
}

Result<void> record(Store& store, const std::vector<const TestStream*>& streams, size_t frames_per_commit,
                    bool settle) {
  TRY_ASSIGN(auto recorder, Recorder::open(store));
  const auto flush = [&]() -> Result<void> {
    if (recorder->empty()) return Ok{};
    Prepared prepared = recorder->take();
    TRY(store.commit(*prepared.batch, prepared.tip));
    recorder->durable(prepared.tip.commit);
    return Ok{};
  };
  size_t in_batch = 0;
  for (size_t i = 0, more = 1; more != 0; ++i) {
    more = 0;
    for (const TestStream* stream : streams) {
      if (i >= stream->frames.size()) continue;
      more = 1;
      TRY_ASSIGN(const bus::FrameView frame, bus::parse_frame(stream->frames[i]));
      TRY_ASSIGN(const Recorder::Outcome outcome, recorder->add(stream->node, 1'700'000'001'000'000'000 + i, frame));
      if (!outcome.refused.empty()) return Error{ErrorCode::kRefused, outcome.refused};
      if (++in_batch % frames_per_commit == 0) TRY(flush());
    }
  }
  if (settle) recorder->settle();
  return flush();
}

Result<void> record(Store& store, const TestStream& stream, size_t frames_per_commit, bool settle) {
  return record(store, std::vector<const TestStream*>{&stream}, frames_per_commit, settle);
}

std::vector<std::string> record_alarms(Store& store, const TestStream& stream) {
  auto recorder = Recorder::open(store);
  std::vector<std::string> alarms;
  for (const Bytes& bytes : stream.frames) {
    auto outcome = (*recorder)->add(stream.node, 1, *bus::parse_frame(bytes));
    for (const auto& alarm : outcome->alarms) alarms.push_back(alarm.text);
  }
  Prepared prepared = (*recorder)->take();
  CHECK(store.commit(*prepared.batch, prepared.tip).ok());
  return alarms;
}

std::vector<Bytes> stored_events(ChainReader& reader, const ActorId& actor, uint64_t first) {
  std::vector<Bytes> out;
  auto cursor = reader.events(actor, first);
  CHECK(cursor.ok(), cursor.ok() ? "" : cursor.error().message);
  while (true) {
    auto item = (*cursor)->next();
    CHECK(item.ok(), item.ok() ? "" : item.error().message);
    if (!item->has_value()) return out;
    out.emplace_back((*item)->bytes.begin(), (*item)->bytes.end());
  }
}

std::vector<Bytes> bytes_of(const TestChain& chain) {
  std::vector<Bytes> out;
  for (const auto& event : chain.events) out.push_back(event.bytes);
  return out;
}

void TestLink::receive(const bus::CurveKey& peer, Bytes message) {
  if (peer != peer_) return;
  const auto link = bus::decode_link(message);
  if (!link.ok() || link->stream != stream_.stream) return;
  std::lock_guard lock(mutex_);
  if (const auto* welcome = std::get_if<bus::Welcome>(&link->body)) {
    welcome_ = true;
    durable_ = welcome->durable;
    expected_ = welcome->expected;
    credit_frames_ = welcome->credit_frames;
    credit_bytes_ = welcome->credit_bytes;
  } else if (const auto* ack = std::get_if<bus::Ack>(&link->body)) {
    CHECK(ack->durable.sequence >= durable_.sequence, "an acknowledgement was taken back");
    durable_ = ack->durable;
    credit_frames_ = ack->credit_frames;
    credit_bytes_ = ack->credit_bytes;
  } else if (const auto* nack = std::get_if<bus::Nack>(&link->body)) {
    if (nack->expected > 0) expected_ = nack->expected;
    if (nack->expected == 0) welcome_ = false;
  } else if (const auto* refuse = std::get_if<bus::Refuse>(&link->body)) {
    refused_ = refuse->reason;
  }
  changed_.notify_all();
}

void TestLink::hello(Auditor& auditor) {
  bus::Hello hello;
  hello.identity = stream_.node;
  hello.name = "test";
  hello.next_sequence = stream_.frames.size() + 1;
  auto bytes = std::make_shared<Bytes>(bus::encode_link({stream_.stream, hello}));
  auditor.offer({peer_, stream_.node, false, bytes, *bytes});
}

void TestLink::send(Auditor& auditor) {
  {
    std::lock_guard lock(mutex_);
    welcome_ = false;
  }
  hello(auditor);
  uint64_t bytes_sent = 0;
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, 10s, [&] { return welcome_ || !refused_.empty(); });
  for (uint64_t frame = 1; frame <= stream_.frames.size() && refused_.empty(); ++frame) {
    const Bytes& bytes = stream_.frames[frame - 1];
    bytes_sent += bytes.size() - bus::kFrameHeaderSize;
    if (frame < expected_) continue;
    const bool room = changed_.wait_for(
        lock, 10s, [&] { return (frame <= credit_frames_ && bytes_sent <= credit_bytes_) || !refused_.empty(); });
    if (!room) return;
    auto copy = std::make_shared<Bytes>(bytes);
    lock.unlock();
    auditor.offer({peer_, stream_.node, true, copy, *copy});
    lock.lock();
  }
}

bool TestLink::deliver(Auditor& auditor, int seconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (std::chrono::steady_clock::now() < until) {
    send(auditor);
    if (wait_acknowledged(stream_.frames.size(), 1)) return true;
    if (!refused().empty()) return false;
  }
  return false;
}

bool TestLink::wait_acknowledged(uint64_t frame, int seconds) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, std::chrono::seconds(seconds), [&] {
    return durable_.sequence >= frame || !refused_.empty();
  }) && durable_.sequence >= frame;
}

uint64_t TestLink::acknowledged() const {
  std::lock_guard lock(mutex_);
  return durable_.sequence;
}

std::string TestLink::refused() const {
  std::lock_guard lock(mutex_);
  return refused_;
}

}  // namespace theater::persist
