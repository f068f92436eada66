// Blobs that a node asks back from an auditor, piece by piece: whoever asked gets the whole one, checked against its
// hash, or hears why not. Each piece is asked for when the one before has come, and again when it doesn't come, so that
// a lost message does no harm; the auditor keeps nothing between two pieces.
//
// Threads: ask() any; the rest is the bus thread's, by way of Sender. `done` is called once, on the bus thread: it only
// enqueues. Bounds: kWaitingMax asked for (more are refused), kActiveMax under way at a time, each as long as its asker
// allows; one that gets nothing for give_up_ns ends.
#pragma once

#include <deque>
#include <functional>
#include <mutex>
#include <vector>

#include "base/result.h"
#include "bus/messages.h"
#include "bus/outbox.h"

namespace theater::bus {

class Fetches {
 public:
  static constexpr size_t kWaitingMax = 1'000;
  static constexpr size_t kActiveMax = 4;
  struct Options {
    uint64_t again_ns = 300'000'000;
    uint64_t give_up_ns = 3'000'000'000;
  };
  explicit Fetches(std::string auditor) : Fetches(std::move(auditor), Options{}) {}
  Fetches(std::string auditor, Options options) : auditor_(std::move(auditor)), options_(options) {}

  // False: too many wait; `done` isn't called.
  bool ask(const Hash& hash, uint64_t length_max, FetchDone done);

  // What to send now. Ends what has waited too long; `reachable`: whether there is any sense in sending.
  std::vector<Fetch> due(uint64_t now_ns, bool reachable);
  void on_piece(const Fetched& piece, uint64_t now_ns);
  uint64_t wait_ns(uint64_t now_ns, bool reachable) const;  // until due() has something to do
  void end_all(const std::string& why);                     // the link is closed

 private:
  struct Asked {
    Hash hash;
    uint64_t length_max = 0;
    FetchDone done;
  };
  struct Active : Asked {
    Bytes bytes;
    uint64_t sent_ns = 0;      // 0: not yet
    uint64_t progress_ns = 0;  // when it began, or the newest piece came
  };
  void finish(size_t index, Result<Bytes> result);

  const std::string auditor_;  // for messages
  const Options options_;
  mutable std::mutex mutex_;  // guards waiting_ and closed_
  std::deque<Asked> waiting_;
  bool closed_ = false;
  std::vector<Active> active_;  // of the bus thread
};

}  // namespace theater::bus
