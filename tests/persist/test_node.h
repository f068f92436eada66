// A node for tests of the auditor: makes chains of real events and packs them into real frames, without actors, sockets
// or threads. And a link that plays the node's side of the protocol against an Auditor.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>

#include "base/crypto.h"
#include "base/random.h"
#include "bus/frame.h"
#include "bus/messages.h"
#include "persist/auditor.h"
#include "persist/chain_reader.h"
#include "persist/recorder.h"
#include "schema/codec.h"

namespace theater::persist {

PublicKey test_key(uint8_t number);

// One actor's chain, as a node would make it. Keeps everything, so that a test can compare.
class TestChain {
 public:
  struct Options {
    std::string name = "counter";
    PublicKey node = test_key(1);
    Hash package{}, manifest{};
    uint64_t package_length = 0, manifest_length = 0;
    uint8_t nonce = 0;
  };
  explicit TestChain(const Options& options);

  const schema::EncodedEvent& genesis() const { return events.front(); }
  const schema::EncodedEvent& log(const std::string& text);
  const schema::EncodedEvent& end();
  const schema::EncodedEvent& add(std::string_view type, schema::Body body);
  const ActorId& actor() const { return actor_; }
  uint64_t next_sequence() const { return events.size(); }

  std::vector<schema::EncodedEvent> events;
  uint32_t incarnation = 0;
  uint64_t time_ns = 1'700'000'000'000'000'000;

 private:
  ActorId actor_;
};

// A stream of frames.
class TestStream {
 public:
  explicit TestStream(uint8_t id, const PublicKey& sender = test_key(1)) : node(sender) { stream.fill(id); }
  void put(const schema::EncodedEvent& event) { builder.append_event(event.bytes, event.hash); }
  // Seals what was put; its number.
  uint64_t seal();
  void blob(BytesView bytes, size_t piece_size = 1000);  // in frames of one piece

  PublicKey node;
  bus::StreamId stream;
  bus::FrameBuilder builder;
  std::vector<Bytes> frames;
  Hash link_hash;
};

// All frames through a recorder into a store, `frames_per_commit` at a time; `settle`: and ended in order.
Result<void> record(Store& store, const std::vector<const TestStream*>& streams, size_t frames_per_commit = 1,
                    bool settle = true);
Result<void> record(Store& store, const TestStream& stream, size_t frames_per_commit = 1, bool settle = true);
std::vector<std::string> record_alarms(Store& store, const TestStream& stream);

// The events of a chain as the reader gives them.
std::vector<Bytes> stored_events(ChainReader& reader, const ActorId& actor, uint64_t first = 0);
std::vector<Bytes> bytes_of(const TestChain& chain);

// The node's side of a link. Replies come in by receive(), on any thread.
class TestLink {
 public:
  explicit TestLink(TestStream& stream) : stream_(stream) { peer_.bytes = stream.node.bytes; }

  void receive(const bus::CurveKey& peer, Bytes message);
  // Says HELLO, sends what isn't acknowledged and waits until all of the stream's frames are. False after `seconds`, or
  // when refused.
  bool deliver(Auditor& auditor, int seconds = 20);
  // Only sends, waits for nothing.
  void send(Auditor& auditor);
  bool wait_acknowledged(uint64_t frame, int seconds = 20);
  uint64_t acknowledged() const;
  std::string refused() const;

 private:
  void hello(Auditor& auditor);

  TestStream& stream_;
  bus::CurveKey peer_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool welcome_ = false;
  bus::StreamMark durable_;
  uint64_t expected_ = 1, credit_frames_ = 0, credit_bytes_ = 0;
  std::string refused_;
};

}  // namespace theater::persist
