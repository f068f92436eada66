#include "node/control/answers.h"

#include <algorithm>

#include "base/crypto.h"
#include "schema/codec.h"

namespace theater::node {

namespace {

Hash digest_of(const bus::ControlRequest& request) {
  Sha256 digest;
  digest.update(as_bytes(request.verb));
  digest.update(BytesView(reinterpret_cast<const uint8_t*>("\0"), 1));
  digest.update(schema::encode_value(request.args));
  return digest.finish();
}

bool may_have_had_an_effect(const bus::ControlResponse& response) {
  if (!response.error) return true;
  const auto code = response.error->code;
  return code == ErrorCode::kActorFailed || code == ErrorCode::kDeadline;
}

void respond(bus::Responder& responder, uint64_t id, bus::ControlResponse response) {
  response.id = id;
  responder.respond(std::move(response));
}

bus::ControlResponse refused(ErrorCode code, std::string why) {
  bus::ControlResponse response;
  response.error = Error{code, std::move(why)};
  return response;
}

}  // namespace

bool Answers::begin(const PublicKey& key, const bus::ControlRequest& request,
                    std::shared_ptr<bus::Responder> responder) {
  const Hash digest = digest_of(request);
  bus::ControlResponse now;
  {
    std::lock_guard lock(mutex_);
    const bool is_room = keys_.contains(key) || keys_.size() < kKeysMax || make_room_for_key();
    auto& of_key = is_room ? keys_[key] : keys_.begin()->second;
    const auto found = of_key.entries.find(request.request_id);
    if (!is_room) {
      now = refused(ErrorCode::kUnavailable, "requests of too many keys are in progress; try again");
    } else if (found == of_key.entries.end()) {
      if (of_key.entries.size() - of_key.answered.size() < kAnswersMax) {
        of_key.entries.emplace(request.request_id, Entry{digest, {{request.id, std::move(responder)}}, {}, 0});
        return true;
      }
      now = refused(ErrorCode::kUnavailable, str_cat(kAnswersMax, " requests of this key are in progress; try again"));
    } else if (found->second.digest != digest) {
      now = refused(ErrorCode::kInvalid, str_cat("the request id '", escape(as_bytes(request.request_id)),
                                                 "' was used for another request; take a new one"));
    } else if (found->second.response) {
      now = *found->second.response;
    } else if (found->second.waiting.size() < kAnswersMax) {
      found->second.waiting.push_back({request.id, std::move(responder)});
      return false;
    } else {
      now = refused(ErrorCode::kUnavailable, "too many wait for this answer");
    }
  }
  respond(*responder, request.id, std::move(now));
  return false;
}

void Answers::answer(const PublicKey& key, const std::string& request_id, const bus::ControlResponse& response) {
  std::vector<Waiting> waiting;
  {
    std::lock_guard lock(mutex_);
    const auto of_key = keys_.find(key);
    if (of_key == keys_.end()) return;
    const auto found = of_key->second.entries.find(request_id);
    if (found == of_key->second.entries.end()) return;
    waiting = std::move(found->second.waiting);
    found->second.waiting.clear();
    if (may_have_had_an_effect(response)) {
      found->second.response = response;
      found->second.bytes = request_id.size() + schema::encoded_size(response.result) +
                            (response.error ? response.error->message.size() : 0);
      bytes_ += found->second.bytes;
      of_key->second.bytes += found->second.bytes;
      of_key->second.answered.push_back(request_id);
      if (of_key->second.answered.size() > kAnswersMax) forget_oldest(of_key->second);
      while (bytes_ > kBytesMax) forget_oldest(largest());
    } else {
      of_key->second.entries.erase(found);
    }
  }
  for (const auto& one : waiting) respond(*one.responder, one.id, response);
}

bool Answers::make_room_for_key() {
  for (auto of_key = keys_.begin(); of_key != keys_.end(); ++of_key) {
    if (of_key->second.entries.size() > of_key->second.answered.size()) continue;
    while (!of_key->second.answered.empty()) forget_oldest(of_key->second);
    keys_.erase(of_key);
    return true;
  }
  return false;
}

Answers::OfKey& Answers::largest() {
  return std::ranges::max_element(keys_, {}, [](const auto& each) { return each.second.bytes; })->second;
}

void Answers::forget_oldest(OfKey& of_key) {
  const auto oldest = of_key.entries.find(of_key.answered.front());
  of_key.answered.pop_front();
  bytes_ -= oldest->second.bytes;
  of_key.bytes -= oldest->second.bytes;
  of_key.entries.erase(oldest);
}

}  // namespace theater::node
