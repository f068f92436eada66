// What an auditor does with a message, cut into its steps, without threads and queues: auditor.cc hands frames from
// step to step across threads, the simulator (tests/sim) does so in one, at times of its choosing.
//
//   take_in()        a message → its reply; a frame whose turn it is → Accepted
//   verify()         the rules; what belongs on the disk gathers
//   fill()           verify() for what another auditor gave; enter() when it sets out
//   take_prepared()  what gathered, as one commit
//   write()          the commit onto the disk, synced; may fail, and may be tried again
//   acknowledge()    only after write() said Ok
//
// Frames go through verify() in the order in which take_in() gave them out, commits through write() in the order in
// which take_prepared() did; a failed one is tried again before the next.
//
// Threads: take_in() and tick() on one; verify() and all that stands with it on one at a time; write() and
// acknowledge() on one at a time; under_way() any.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "base/line_limit.h"
#include "bus/receiver.h"
#include "persist/auditor.h"
#include "persist/recorder.h"

namespace theater::persist {

struct Accepted {  // a frame whose turn it is
  bus::CurveKey peer;
  PublicKey node;
  bus::StreamMark mark;
  uint64_t received_ns = 0;
  std::shared_ptr<const void> owner;
  bus::FrameView frame;
};

struct Commit {
  Prepared prepared;
  std::map<std::pair<bus::CurveKey, bus::StreamId>, bus::StreamMark> acks;
  size_t frames = 0;                            // of those under way, whatever became of them
  std::vector<std::shared_ptr<FillJob>> fills;  // to be finished with the acknowledgements
};

class AuditorSteps {
 public:
  struct Options {
    uint64_t window_bytes = 8u << 20;    // credit for each node
    Clock* clock = nullptr;              // required
    const SigningKey* signer = nullptr;  // of receipts; none: there are none
    Log log;
    std::function<void(const bus::CurveKey& peer, Bytes message)> reply;
    HoldingLimits limits;
  };
  // Makes a new store's first rows. kInvalid if it is another version's.
  static Result<std::unique_ptr<AuditorSteps>> open(std::shared_ptr<Store> store, Options options);

  std::optional<Accepted> take_in(bus::Inbound& message);
  void tick();  // every 20 to 50 ms: acknowledgements that are due again

  // An error: the store can't be read, and nothing is taken any more.
  Result<void> verify(const Accepted& accepted);
  // A fill counts among the frames under way from enter() on, on take_in()'s thread.
  void enter() { under_way_.fetch_add(1, std::memory_order_acq_rel); }
  Result<void> fill(const std::shared_ptr<FillJob>& job);
  uint64_t gaps() const { return recorder_->gaps(); }  // any thread
  bool empty() const { return recorder_->empty(); }
  size_t pending_bytes() const { return recorder_->pending_bytes(); }
  void settle() { recorder_->settle(); }  // before the last commit
  Commit take_prepared();                 // not when empty

  Result<void> write(Commit& commit);
  void acknowledge(const Commit& commit);

  // Frames accepted and neither durable nor given up.
  size_t under_way() const { return under_way_.load(std::memory_order_acquire); }

 private:
  AuditorSteps(std::shared_ptr<Store> store, std::unique_ptr<Recorder> recorder, Options options);

  Result<bus::StreamMark> durable_mark(const PublicKey& node, const bus::StreamId& stream) const;
  void answer_fetch(const bus::CurveKey& peer, const bus::StreamId& stream, const bus::Fetch& fetch);
  // What a peer may bring about as often as it likes.
  void say_of(const bus::CurveKey& peer, const std::string& line);
  void say(const LogLine& line) const {
    if (options_.log) options_.log(line);
  }
  void reply(const bus::CurveKey& peer, Bytes message) const {
    if (!message.empty() && options_.reply) options_.reply(peer, std::move(message));
  }

  const Options options_;
  const std::shared_ptr<Store> store_;
  const std::unique_ptr<Recorder> recorder_;
  bus::Receiver receiver_;
  Commit next_;  // goes with what is in the recorder
  std::atomic<size_t> under_way_{0};
  std::mutex limits_mutex_;
  std::map<bus::CurveKey, LineLimit> line_limits_;  // as many as there are authorized keys
};

}  // namespace theater::persist
