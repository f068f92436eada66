#include "tests/sim/sim_node.h"

#include <algorithm>
#include <utility>

#include "base/crypto.h"
#include "node/chain/audit_links.h"
#include "node/chain/durable.h"

namespace theater::sim {

namespace {
constexpr int kFramesATurn = 32;
constexpr uint64_t kBlockedWaitNs = 50 * kMs;
constexpr std::string_view kLog = "theater:simple/runtime@0.1.0/log";

// A window that tells the witness what went into it.
class WitnessedOutbox final : public bus::Outbox {
 public:
  WitnessedOutbox(std::shared_ptr<bus::Window> window, StreamAccount& account)
      : window_(std::move(window)), account_(account) {}
  bool try_reserve(const ActorId& actor, size_t bytes) override { return window_->try_reserve(actor, bytes); }
  void release(const ActorId& actor, size_t bytes) override { window_->release(actor, bytes); }
  void when_room(const ActorId& actor, bus::Waker waker) override { window_->when_room(actor, std::move(waker)); }
  void forget_waker(const ActorId& actor) override { window_->forget_waker(actor); }
  void append(const schema::EncodedEvent& event) override {
    account_.appended.push_back({event.actor, event.sequence, event.hash});
    window_->append(event);
  }
  void drop(const schema::EncodedEvent& event) override {
    account_.dropped[event.actor].push_back(event.sequence);
    window_->drop(event);
  }
  bool needs_blob(const Hash& hash) override { return window_->needs_blob(hash); }
  void append_blob(const ActorId& actor, const Hash& hash, uint64_t length, uint64_t offset, BytesView piece) override {
    window_->append_blob(actor, hash, length, offset, piece);
  }
  bool try_reserve_blob(const ActorId& actor, const Hash& hash, size_t bytes) override {
    return window_->try_reserve_blob(actor, hash, bytes);
  }
  void give_up_blob(const ActorId& actor) override { window_->give_up_blob(actor); }
  void begin_late(const ActorId& actor, uint64_t length, const Hash& head) override {
    window_->begin_late(actor, length, head);
  }
  void when_durable(bus::DurabilityWaker waker) override { window_->when_durable(std::move(waker)); }
  void fetch_blob(const Hash& hash, uint64_t length_max, bus::FetchDone done) override {
    window_->fetch_blob(hash, length_max, std::move(done));
  }
  void demote(bool demoted) override { window_->demote(demoted); }
  bool demoted() const override { return window_->demoted(); }
  bool closed() const override { return window_->closed(); }
  Status status() const override { return window_->status(); }

 private:
  const std::shared_ptr<bus::Window> window_;
  StreamAccount& account_;
};

}  // namespace

struct SimNode::Actor {
  std::string name;
  std::shared_ptr<bool> woken = std::make_shared<bool>(false);
  bool parked = false;
  std::unique_ptr<node::Chain> chain;
  bool is_emitting() const { return chain != nullptr && !chain->ended() && chain->emitting(); }
  size_t enough = 0;  // auditors that each event has to be sent to
};

// One link of one life; turn() is bus/dialed_link.cc's.
class SimNode::Link {
 public:
  Link(Context& context, const SimNode& node, size_t auditor)
      : context_(context), wires_(*node.options_.auditors[auditor].wires), window_bytes_(node.options_.window_bytes) {
    const std::string name = str_cat("node ", node.options_.number, " auditor ", auditor);
    window_ = std::make_shared<bus::Window>(bus::Window::Options{
        name, window_bytes_, node.options_.blobs_known_max, [this] { woken_ = true; }, node.options_.blobs_begun_max});
    bus::Sender::Options options;
    options.auditor = name;
    options.identity = node.identity_;
    if (node.options_.signs) {
      options.signer = &node.key_;
      options.auditor_key = node.options_.auditors[auditor].key;
      options.tip_ns = kSecond;  // of what is signed and checked, some is enough
      options.checkpoint_ns = 5 * kSecond;
      if (const Bytes& kept = node.receipts_[auditor]; !kept.empty()) options.kept = *bus::check_receipt(kept);
    }
    options.name = name;
    options.log = [this](const std::string& line) { context_.say(account_->name, ": ", line); };
    context.random.fill(options.stream);
    StreamAccount account;
    account.name = str_cat(name, " stream ", to_hex(options.stream).substr(0, 6));
    account.auditor = auditor;
    account.node = node.identity_;
    account.id = options.stream;
    account_ = &context.witness.begin_stream(std::move(account));
    sender_ = std::make_unique<bus::Sender>(options, *window_);
    outbox_ = std::make_shared<WitnessedOutbox>(window_, *account_);
  }
  ~Link() { account_->alive = false; }

  // Whether it took that event, the newest one of the node's.
  bool took(const ActorId& actor, uint64_t sequence) const {
    if (account_->appended.empty()) return false;
    const auto& newest = account_->appended.back();
    return newest.actor == actor && newest.sequence == sequence;
  }

  void turn() {
    const uint64_t now_ns = context_.now();
    woken_ = false;
    window_->woken();
    while (const auto bytes = wires_.to_node.receive(now_ns)) sender_->on_control(*bytes, now_ns);
    sender_->tick(now_ns);
    sender_->take_reopen();  // wires need no reopening
    speak(now_ns);
    push_frames(now_ns);
    for (const bus::Waker& waker : window_->take_wakers()) waker();
    check();
  }

  uint64_t next_ns() const {
    if (more_to_do_ || woken_) return context_.now();
    const uint64_t wait_ns = sender_->wait_ns(context_.now());
    return context_.now() + (blocked_ ? std::min(wait_ns, kBlockedWaitNs) : wait_ns);
  }

  void connection_broke() { sender_->on_disconnected(context_.now()); }
  void begin_stop() { sender_->begin_stop(); }
  bool all_durable() const {
    const auto status = window_->status();
    return sender_->all_durable() && status.durable_events == account_->appended.size();
  }
  bool finished() const { return sender_->finished(); }
  bus::Outbox::Status status() const { return window_->status(); }
  const std::shared_ptr<bus::Outbox>& outbox() const { return outbox_; }

 private:
  void speak(uint64_t now_ns) {
    blocked_ = false;
    while (const Bytes* message = sender_->next_control()) {
      context_.witness.node_says(*message);
      if (!wires_.to_auditor.send(*message, now_ns)) {
        blocked_ = true;
        return;
      }
      sender_->control_sent();
    }
  }

  void push_frames(uint64_t now_ns) {
    more_to_do_ = false;
    for (int i = 0; i < kFramesATurn; ++i) {
      const bus::SentFrame* frame = sender_->next_frame(now_ns, context_.clock.wall_ns());
      if (frame == nullptr) return;
      const uint64_t before = frame->sequence == 1 || frame->sequence > account_->frames.size() + 1
                                  ? 0
                                  : account_->frames[frame->sequence - 2].end_events;
      context_.witness.sealed(*account_, frame->sequence,
                              {frame->link_hash, frame->end_bytes, frame->end_content, before + frame->events});
      if (!wires_.frames.send(frame->bytes, now_ns)) {
        blocked_ = true;
        return;
      }
      sender_->frame_sent(now_ns);
    }
    more_to_do_ = true;
  }

  void check() {
    const auto status = window_->status();
    context_.witness.released(*account_, status.durable_bytes, status.durable_events);
    if (status.appended_bytes - status.durable_bytes > window_bytes_) {
      context_.witness.break_invariant(
          "node-bound", str_cat(account_->name, " holds ", status.appended_bytes - status.durable_bytes, " bytes"));
    }
  }

  Context& context_;
  Wires& wires_;
  const uint64_t window_bytes_;
  StreamAccount* account_ = nullptr;
  std::shared_ptr<bus::Window> window_;
  std::unique_ptr<bus::Sender> sender_;
  std::shared_ptr<bus::Outbox> outbox_;
  bool woken_ = false, blocked_ = false, more_to_do_ = false;
};

SimNode::SimNode(Context& context, const Options& options)
    : context_(context),
      options_(options),
      key_(signing_key(context.random)),
      identity_(key_.public_key()),
      receipts_(options.auditors.size()) {
  context_.random.fill(peer_.bytes);
  for (int i = 0; i < 2; ++i) {
    Bytes bytes(100 + context_.random.below(options_.heavy ? 200'000 : 3'000));
    context_.random.fill(bytes);
    packages_.push_back(std::make_shared<const Bytes>(std::move(bytes)));
  }
}

SimNode::~SimNode() = default;

void SimNode::start() {
  context_.say("node ", options_.number, " is up");
  for (size_t auditor = 0; auditor < options_.auditors.size(); ++auditor) {
    links_.push_back(std::make_unique<Link>(context_, *this, auditor));
  }
  for (size_t i = 0; i < options_.actors; ++i) actors_.push_back(std::make_unique<Actor>());
  for (size_t i = 0; i < options_.actors; ++i) actors_[i]->name = str_cat("actor-", lives_, "-", i);
  ++lives_;
}

void SimNode::crash(uint64_t down_ns) {
  if (!is_up()) return;
  context_.say("node ", options_.number, " dies");
  ++crashes_;
  resent_ = resent();
  for (size_t auditor = 0; auditor < links_.size(); ++auditor) {
    // It was written down, if there was time.
    if (Bytes receipt = links_[auditor]->status().receipt; !receipt.empty() && context_.chance(800)) {
      receipts_[auditor] = std::move(receipt);
    }
  }
  actors_.clear();  // chains hold on to outboxes
  links_.clear();
  up_ns_ = context_.now() + down_ns;
}

void SimNode::connection_broke(size_t auditor) {
  if (is_up()) links_[auditor]->connection_broke();
}

void SimNode::turn() {
  if (!is_up()) {
    if (context_.now() < up_ns_) return;
    start();
  }
  if (context_.now() >= emit_ns_ && !is_done_emitting()) emit();
  for (const auto& link : links_) link->turn();
}

// Whoever is in the middle of an event goes on: others may wait for that.
bool SimNode::is_done_emitting() const {
  return emitted_all() &&
         std::none_of(actors_.begin(), actors_.end(), [](const auto& it) { return it->is_emitting(); });
}

void SimNode::emit() {
  // In bursts: they make full bodies, and pauses make partial ones.
  const uint64_t burst = 1 + context_.some(12);
  for (uint64_t i = 0; i < burst; ++i) emit_one(*actors_[context_.random.below(actors_.size())]);
  emit_ns_ = context_.now() + context_.some(options_.pause_ns);
}

void SimNode::emit_one(Actor& actor) {
  if (emitted_all() && !actor.is_emitting()) return;
  if (actor.parked && !std::exchange(*actor.woken, false)) return;
  actor.parked = false;
  if (actor.chain == nullptr || actor.chain->ended()) {
    auto mode = schema::AuditMode::kStrict;
    if (context_.chance(options_.best_effort_permille)) mode = schema::AuditMode::kBestEffort;
    if (context_.chance(options_.quorum_permille)) mode = schema::AuditMode::kQuorum;
    actor.chain =
        std::make_unique<node::Chain>(context_.clock, [woken = actor.woken] { return [woken] { *woken = true; }; });
    const size_t k = 1 + context_.random.below(links_.size());
    auto links = std::make_shared<node::AuditLinks>(mode, k);
    actor.enough = node::needed_auditors(mode, k, links_.size());
    for (const auto& link : links_) links->add(link->outbox());
    actor.chain->add(std::move(links));
  }
  if (!actor.chain->emitting()) begin_event(actor);
  const auto step = actor.chain->step(scratch_);
  if (step == node::Chain::Step::kDone) {
    ++emitted_;
    const uint64_t sequence = actor.chain->length() - 1;
    const auto took = [&](const auto& link) { return link->took(actor.chain->id(), sequence); };
    if (static_cast<size_t>(std::count_if(links_.begin(), links_.end(), took)) < actor.enough) {
      context_.witness.break_invariant(
          "emitted-to-enough", str_cat("event ", sequence, " of ", actor.name, " needed ", actor.enough, " auditors"));
    }
  }
  actor.parked = step == node::Chain::Step::kParked;
  if (actor.parked) ++parked_;
}

void SimNode::begin_event(Actor& actor) {
  if (actor.chain->length() == 0) {
    const auto& package = packages_[context_.random.below(packages_.size())];
    schema::Genesis genesis;
    genesis.name = actor.name;
    genesis.package = sha256(*package);
    genesis.package_length = package->size();
    genesis.node = identity_;
    context_.random.fill(genesis.nonce);
    return actor.chain->begin(schema::kTypeGenesis, genesis, {{genesis.package, package}});
  }
  if (context_.chance(15)) {
    schema::Shutdown body;
    body.reason = "stop";
    return actor.chain->begin(schema::kTypeShutdown, std::move(body));
  }
  std::string text = str_cat(context_.random.below(1000), " ");
  text.resize(text.size() + context_.some(400), 'x');
  if (context_.chance(options_.heavy ? 300 : 10)) {
    // Payloads by reference, some of which several actors have.
    text = std::string(4'000 + context_.random.below(3) * (options_.heavy ? 60'000 : 3'000), 'y');
    if (context_.chance(500)) text += str_cat(context_.random.below(1000));
  }
  schema::HostCall call;
  call.args.push_back(schema::Value::string(std::move(text)));
  actor.chain->begin(kLog, std::move(call));
}

uint64_t SimNode::next_ns() const {
  if (!is_up()) return up_ns_;
  uint64_t next = is_done_emitting() ? UINT64_MAX : emit_ns_;
  for (const auto& link : links_) next = std::min(next, link->next_ns());
  return next;
}

void SimNode::begin_stop() {
  for (const auto& link : links_) link->begin_stop();
}

bool SimNode::all_durable() const {
  return is_up() && std::all_of(links_.begin(), links_.end(), [](const auto& link) { return link->all_durable(); });
}

bool SimNode::finished() const {
  return std::all_of(links_.begin(), links_.end(), [](const auto& link) { return link->finished(); });
}

uint64_t SimNode::resent() const {
  uint64_t frames = resent_;
  for (const auto& link : links_) frames += link->status().resent_frames;
  return frames;
}

std::string SimNode::waits_for() const {
  std::string text = str_cat("node ", options_.number, " emitted ", emitted_, " of ", options_.events_max);
  for (const auto& link : links_) {
    const auto status = link->status();
    text += str_cat("; ", status.auditor, ": ", status.durable_events, " of ", status.appended_events, " durable, ",
                    status.waiting, " wait, ", status.last_error);
  }
  return text;
}

}  // namespace theater::sim
