// A guest's log lines on stderr, while they happen: what it hands to runtime.log, and what it writes to its standard
// output and error.
//
// A strict subscriber: nothing is dropped, and an actor that logs faster than the terminal takes it waits. At most
// kEventsMax events are on their way; a thread of its own (*guest-log*) prints them.
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "node/chain/queue_subscriber.h"

namespace theater::cli {

// The line that an event is for a person who follows the log; nothing for most events.
std::optional<std::string> guest_log_text(const schema::EncodedEvent& event);

class GuestLog {
 public:
  // `who` stands before each line.
  explicit GuestLog(std::string who);
  ~GuestLog();

  std::shared_ptr<node::Subscriber> subscriber() const { return events_; }
  // Returns when everything that was delivered before the call is printed: a request's log lines come before its
  // answer.
  void flush();
  // Prints what was delivered, and closes the subscriber. Idempotent; not from a worker.
  void stop();

 private:
  static constexpr size_t kEventsMax = 1'024;

  void print_lines();

  const std::string who_;
  const std::shared_ptr<node::QueueSubscriber> events_;
  std::mutex mutex_;
  std::condition_variable passed_changed_;
  uint64_t marks_ = 0;         // put into the queue by flush(): events of no chain, numbered
  uint64_t marks_passed_ = 0;  // and seen by the thread
  std::thread thread_;
};

}  // namespace theater::cli
