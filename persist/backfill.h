// Gets from other auditors what is missing here. Every few seconds it walks on through the rows of gaps, chooses some
// of them so that every node's have their turn, however many another node has that nobody can fill, and asks each peer
// in turn for the end of the gap: what comes is known by its hash (rules.h), so a gap shrinks from its end, peer by
// peer, and is closed when its first event fits the one before it. Blobs that the events refer to are fetched before
// them.
//
// If what is given for the beginning of a chain isn't taken, the chain's genesis is asked for alone: it says whether
// the node that sent of it has a claim to it (rules.h).
//
// What isn't what the gap says becomes evidence, and that peer isn't asked for that chain again until the process ends.
// Who took long and gave nothing is asked after the others.
// Who can't be reached isn't asked again in the same round, nor is who takes long over one gap: then the next peer has
// its turn, and what came of a blob by then needn't come again.
//
// A thread of its own, "backfill", which waits for peers (at most 10 s to connect, then 5 s for an answer) and for what
// it hands over to be durable; begun only if there are peers. stop() waits for the answer that is awaited.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "persist/fill.h"
#include "persist/peer.h"
#include "persist/references.h"
#include "persist/rows.h"
#include "persist/rules.h"

namespace theater::persist {

class Backfill {
 public:
  struct Options {
    std::shared_ptr<Store> store;
    std::vector<std::shared_ptr<Peer>> peers;
    uint64_t interval_ms = 5'000;
    Clock* clock = nullptr;  // required
    Log log;
    std::function<FillOutcome(Fill)> submit;  // returns when what came of it is durable, or the process stops
  };
  static constexpr size_t kRowsARound = 50'000;            // looked at, and of them
  static constexpr size_t kGapsARound = 1'000;             // asked about,
  static constexpr size_t kGapsOfNodeARound = 100;         // and more only where others leave room
  static constexpr int kAnswersAGap = 64;                  // from one peer, then the next gap has its turn
  static constexpr uint64_t kPeerTimeNs = 30'000'000'000;  // for one gap
  static constexpr size_t kBarredMax = 65'536;

  explicit Backfill(Options options);
  ~Backfill() { stop(); }
  void start();
  void stop();
  void now();
  std::vector<PeerStatus> status() const;

 private:
  struct Place {  // a gap, and whose it is
    uint64_t chain = 0;
    ActorId actor;
    OpenGap gap;
    PublicKey node;
  };
  using RowKey = std::pair<uint64_t, uint64_t>;  // of a gap's row: chain, first sequence
  struct Turn {                                  // of a node
    std::optional<RowKey> asked;                 // its rows up to this were asked about; the others come first
    bool more = false;                           // this walk passed over some
    size_t places = 0;                           // in this round
  };
  struct State {
    std::shared_ptr<Peer> peer;
    PeerStatus status;         // mutex_
    bool away = false;         // in this round
    uint64_t deadline_ns = 0;  // for the gap in hand
    uint64_t in_vain_ns = 0;   // that it last took without giving anything
    bool distrusted = false;
    std::set<ActorId> barred;  // gave something wrong
  };

  void run();
  bool stopping() const;
  Result<bool> round();  // whether anything came
  Result<std::vector<Place>> next_places();
  Result<bool> may_be_filled(const Place& place) const;
  void end_walk();
  Result<bool> fill(State& from, Place& place);
  Result<bool> ask_genesis(State& from, const Place& place);
  // The newest of them whose blobs are all here, or were fetched.
  Result<size_t> fetch_blobs(State& from, const Place& place, const std::vector<Bytes>& events);
  Result<bool> fetch_blob(State& from, const Place& place, const BlobNeed& need);
  bool took_long(State& from, const Place& place);
  void tell(State& from, std::string result);
  void bar(State& from, const ActorId& actor);

  const Options options_;
  std::vector<State> states_;
  Bytes at_;  // key of the gap row where the next round goes on
  std::map<PublicKey, Turn> turns_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false, now_ = false;
  std::thread thread_;
};

}  // namespace theater::persist
