// Which requests were answered, and how: so that a client that didn't get its answer may ask again with the same
// request id and nothing happens twice.
//
// Remembered are requests that may have had an effect: those in progress, done, or failed in the actor. One that was
// refused had none, and may be tried again under its id. Bounds: kAnswersMax ids for each key, kKeysMax keys and
// kBytesMax of answers. Beyond that the oldest goes first, of the key itself or of the one whose answers are largest,
// so that nobody makes the node forget another's. A restart of the node forgets all.
//
// Any thread; one short lock. Responders are called without it.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "bus/control.h"

namespace theater::node {

class Answers {
 public:
  static constexpr size_t kAnswersMax = 1'000;
  static constexpr size_t kKeysMax = 256;
  static constexpr size_t kBytesMax = size_t{16} << 20;

  // True if the request is new and is to be run: then answer() must follow. False if `responder` got its answer, or an
  // error because the id was used for another request, or will get it with whoever asked first.
  bool begin(const PublicKey& key, const bus::ControlRequest& request, std::shared_ptr<bus::Responder> responder);
  // To all who wait for it.
  void answer(const PublicKey& key, const std::string& request_id, const bus::ControlResponse& response);

 private:
  struct Waiting {
    uint64_t id;
    std::shared_ptr<bus::Responder> responder;
  };
  struct Entry {
    Hash digest;  // of verb and arguments
    std::vector<Waiting> waiting;
    std::optional<bus::ControlResponse> response;
    size_t bytes = 0;
  };
  struct OfKey {
    std::map<std::string, Entry> entries;
    std::deque<std::string> answered;  // oldest first
    size_t bytes = 0;                  // of those
  };

  bool make_room_for_key();  // false if every key has requests in progress
  void forget_oldest(OfKey& of_key);
  OfKey& largest();

  std::mutex mutex_;
  std::map<PublicKey, OfKey> keys_;
  size_t bytes_ = 0;
};

}  // namespace theater::node
