// A small auditor for tests with real sockets: an intake thread around a Receiver, and a "disk" that outlives it. Every
// accepted frame is checked, stored and acknowledged at once.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"
#include "base/thread.h"
#include "bus/loop.h"
#include "bus/receiver.h"
#include "tests/bus/events.h"

namespace theater::bus {

// Waits generously; the answer is the condition's.
inline bool eventually(const std::function<bool()>& condition, int seconds = 60) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(seconds);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

struct Disk {
  std::mutex mutex;
  std::map<StreamId, StreamMark> marks;
  std::vector<uint64_t> events;  // numbers, in the order of arrival
  std::vector<Gap> gaps;
  std::map<Hash, Bytes> blobs;
  std::vector<std::string> problems;
  size_t event_count() {
    std::lock_guard lock(mutex);
    return events.size();
  }
};

class TestAuditor {
 public:
  TestAuditor(Disk& disk, Clock& clock)
      : disk_(disk),
        clock_(clock),
        receiver_({}, [this](const PublicKey&, const StreamId& stream) -> Result<StreamMark> {
          std::lock_guard lock(disk_.mutex);
          return disk_.marks[stream];
        }) {}
  ~TestAuditor() { finish(); }

  InboundSink sink() {
    return [this](Inbound inbound) { return queue_.try_push(inbound); };
  }
  void start(Loop& loop) {
    thread_ = start_thread("test-intake", [this, &loop] { run(loop); });
  }
  void finish() {
    queue_.close();
    if (thread_.joinable()) thread_.join();
  }
  void hold(bool held) { held_ = held; }  // accepts, but makes nothing durable

 private:
  void run(Loop& loop) {
    for (;;) {
      auto inbound = queue_.pop_for(std::chrono::milliseconds(20));
      if (!inbound && queue_.closed()) return;
      const uint64_t now_ns = clock_.monotonic_ns();
      if (inbound && inbound->is_frame) on_frame(*inbound, loop, now_ns);
      if (inbound && !inbound->is_frame) {
        auto verdict = receiver_.on_control(inbound->peer, inbound->identity, inbound->bytes, now_ns);
        if (!verdict.reply.empty()) loop.reply(inbound->peer, std::move(verdict.reply));
        if (verdict.fetch) loop.reply(inbound->peer, Receiver::fetched(verdict.stream, part_of(*verdict.fetch)));
      }
      receiver_.tick(now_ns, [&](const CurveKey& peer, Bytes message) { loop.reply(peer, std::move(message)); });
    }
  }
  Fetched part_of(const Fetch& fetch) {
    std::lock_guard lock(disk_.mutex);
    const auto found = disk_.blobs.find(fetch.hash);
    if (found == disk_.blobs.end() || fetch.offset > found->second.size())
      return {fetch.hash, fetch.offset, false, 0, {}};
    const BytesView rest = BytesView(found->second).subspan(fetch.offset);
    const BytesView part = rest.first(std::min(rest.size(), kFetchedBytesMax));
    return {fetch.hash, fetch.offset, true, found->second.size(), Bytes(part.begin(), part.end())};
  }
  void on_frame(const Inbound& inbound, Loop& loop, uint64_t now_ns) {
    auto verdict = receiver_.on_frame(inbound.peer, inbound.bytes, now_ns);
    if (!verdict.reply.empty()) loop.reply(inbound.peer, std::move(verdict.reply));
    if (verdict.verdict != Receiver::Verdict::kAccept || held_) return;
    store(*verdict.frame, verdict.mark);
    Bytes ack = receiver_.durable(inbound.peer, verdict.frame->header.stream, verdict.mark, now_ns);
    if (!ack.empty()) loop.reply(inbound.peer, std::move(ack));
  }
  void store(const FrameView& frame, const StreamMark& mark) {
    std::lock_guard lock(disk_.mutex);
    StreamMark& stored = disk_.marks[frame.header.stream];
    if (frame.header.sequence != stored.sequence + 1 || frame.header.previous != stored.link_hash) {
      disk_.problems.push_back(str_cat("frame ", frame.header.sequence, " after ", stored.sequence));
    }
    stored = mark;
    for (const ItemView& item : frame.items) {
      if (item.kind == ItemKind::kEvent) disk_.events.push_back(test_event_number(item.content));
      if (item.kind == ItemKind::kGap) disk_.gaps.push_back(parse_gap(item.content).value());
      if (item.kind == ItemKind::kBlob) {
        const BlobPiece piece = parse_blob_piece(item.content).value();
        Bytes& blob = disk_.blobs[piece.hash];
        if (blob.size() != piece.offset) disk_.problems.push_back("a blob's pieces came out of order");
        blob.insert(blob.end(), piece.bytes.begin(), piece.bytes.end());
      }
    }
  }

  Disk& disk_;
  Clock& clock_;
  Receiver receiver_;
  BoundedQueue<Inbound> queue_{8192};
  std::atomic<bool> held_{false};
  std::thread thread_;
};

}  // namespace theater::bus
