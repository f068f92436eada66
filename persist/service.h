// An auditor's control endpoint: what it tells about itself, and what it gives to other auditors. Every answer comes
// from what is durable; while the store isn't certain of that, there is none (kUnavailable). docs/formats/control.md
// lists the verbs.
//
// handle() is called on the bus thread and only enqueues; a thread of its own, "answer", reads the store, one request
// at a time, so that whoever asks much waits for himself and never holds up the intake. The queue holds kRequestsMax,
// and kRequestsOfOneMax of each key, so that one that floods leaves room for the others; more are answered with
// kUnavailable at once, as is everything after stop(). The service outlives the loop that calls it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <thread>

#include "base/bounded_queue.h"
#include "bus/control.h"
#include "persist/auditor.h"
#include "persist/chain_reader.h"

namespace theater::persist {

class StoreService final : public bus::ControlHandler {
 public:
  struct Options {
    std::shared_ptr<Store> store;
    Clock* clock = nullptr;
    std::function<AuditorStatus()> status;  // any thread
  };
  static constexpr size_t kRequestsMax = 64;
  static constexpr size_t kRequestsOfOneMax = 4;
  static constexpr uint64_t kChainsMax = 1'000;  // of one answer

  explicit StoreService(Options options) : options_(std::move(options)) {}
  ~StoreService() override { stop(); }
  void start();
  void stop();

  void handle(const bus::ControlPeer& peer, bus::ControlRequest request,
              std::shared_ptr<bus::Responder> responder) override;

 private:
  struct Verb {
    std::string_view name;
    std::string_view roles;  // as the page shows them: any of them will do
    bus::Role role, other;
    Result<schema::Value> (StoreService::*run)(const schema::Value& args);
  };
  struct Asked {
    const Verb* verb = nullptr;
    PublicKey peer;
    bus::ControlRequest request;
    std::shared_ptr<bus::Responder> responder;
  };
  friend std::vector<std::pair<std::string_view, std::string_view>> service_verbs();
  static std::span<const Verb> verbs();

  bool count_in(const PublicKey& peer);
  void count_out(const PublicKey& peer);
  void run();
  Result<ChainReader*> reader();
  Result<schema::Value> status(const schema::Value& args);
  Result<schema::Value> list(const schema::Value& args);
  Result<schema::Value> range(const schema::Value& args);
  Result<schema::Value> blob(const schema::Value& args);

  const Options options_;
  BoundedQueue<Asked> asked_{kRequestsMax};
  std::mutex of_peers_mutex_;
  std::map<PublicKey, size_t> of_peers_;  // requests in asked_; a local client's key is zero
  std::unique_ptr<ChainReader> reader_;
  uint64_t read_ns_ = 0;  // when
  std::thread thread_;
};

// Each verb with its roles, for whoever checks the page.
std::vector<std::pair<std::string_view, std::string_view>> service_verbs();

}  // namespace theater::persist
