#include "bus/loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <deque>
#include <future>
#include <mutex>
#include <thread>

#include "base/check.h"
#include "base/thread.h"
#include "bus/station.h"

namespace theater::bus {

namespace {

constexpr int kIoThreads = 2;
constexpr size_t kRepliesMax = 8192;
constexpr uint64_t kGoodbyeLingerNs = 50'000'000;

class BusLoop final : public Loop {
 public:
  explicit BusLoop(LoopOptions options)
      : options_(std::move(options)),
        wake_descriptor_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
        context_(kIoThreads),
        around_{context_, options_, [this] { wake(); }} {
    CHECK(wake_descriptor_ >= 0, "eventfd failed");
  }

  ~BusLoop() override {
    stop(0);
    ::close(wake_descriptor_);
  }

  Result<void> start() {
    TRY_ASSIGN(gatekeeper_, Gatekeeper::make(around_));
    thread_ = start_thread("bus", [this] { run(); });
    return Ok{};
  }

  Result<std::shared_ptr<Outbox>> dial(const DialOptions& dial_options) override {
    return on_bus<std::shared_ptr<Outbox>>([&] { return open_link(dial_options); });
  }

  void dial(const DialOptions& dial_options, Dialed done) override {
    const auto command = [this, dial_options, done] {
      done(is_over_ ? Result<std::shared_ptr<Outbox>>(stopped_error()) : open_link(dial_options));
    };
    if (!enqueue(command)) done(stopped_error());
  }

  void hang_up(std::shared_ptr<Outbox> outbox, uint64_t grace_ms, HungUp done) override {
    const uint64_t deadline_ns = options_.clock->monotonic_ns() + grace_ms * 1'000'000;
    const auto command = [this, outbox, deadline_ns, done] { begin_hang_up(outbox, deadline_ns, done); };
    if (!enqueue(command)) done(not_durable(*outbox));
  }

  Result<void> listen(const ListenOptions& listen_options, InboundSink sink) override {
    return on_bus<void>([&]() -> Result<void> {
      TRY_ASSIGN(auto door, Door::make(around_, listen_options, std::move(sink), *gatekeeper_, doors_.size()));
      doors_.push_back(door.get());
      stations_.push_back(std::move(door));
      return Ok{};
    });
  }

  Result<void> serve(const ServeOptions& serve_options, ControlHandler& handler) override {
    return on_bus<void>([&]() -> Result<void> {
      TRY_ASSIGN(auto server, ControlServer::make(around_, serve_options, handler, *gatekeeper_, stations_.size()));
      stations_.push_back(std::move(server));
      return Ok{};
    });
  }

  void reply(const CurveKey& peer, Bytes message) override {
    bool first;
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return;
      if (replies_.size() >= kRepliesMax) replies_.pop_front();
      first = replies_.empty();
      replies_.emplace_back(peer, std::move(message));
    }
    if (first) wake();
  }

  bool stop(uint64_t grace_ms) override;

 private:
  void wake() {
    const uint64_t one = 1;
    // Can only fail when the counter is full, and then the thread is awake.
    [[maybe_unused]] const ssize_t written = write(wake_descriptor_, &one, sizeof one);
  }

  // Runs `body` on the bus thread and waits for its answer.
  template <typename T, typename Body>
  Result<T> on_bus(Body body) {
    CHECK(std::this_thread::get_id() != thread_.get_id(), "the bus thread can't wait for itself");
    std::promise<Result<T>> promise;
    if (!enqueue([&] { promise.set_value(body()); })) return stopped_error();
    return promise.get_future().get();
  }

  static Error stopped_error() { return {ErrorCode::kUnavailable, "the bus is stopped"}; }

  bool enqueue(std::function<void()> command) {
    {
      std::lock_guard lock(mutex_);
      if (stopped_) return false;
      commands_.push_back(std::move(command));
    }
    wake();
    return true;
  }

  static uint64_t not_durable(const Outbox& outbox) {
    const auto status = outbox.status();
    return status.appended_events - status.durable_events;
  }
  Result<std::shared_ptr<Outbox>> open_link(const DialOptions& dial_options);
  // Who isn't there needs no goodbye.
  static bool is_away(const DialedLink& link) { return !link.outbox()->status().connected; }
  void begin_hang_up(const std::shared_ptr<Outbox>& outbox, uint64_t deadline_ns, const HungUp& done);
  void go_on_hanging_up(const Now& now);

  void run();
  void take_commands();
  void send_replies();
  void drain_wake();
  uint64_t turn_all();
  bool stop_is_done(const Now& now);
  Now now() { return {options_.clock->monotonic_ns(), options_.clock->wall_ns()}; }

  const LoopOptions options_;
  const int wake_descriptor_;
  ZmqContext context_;
  const Surroundings around_;
  std::thread thread_;

  std::mutex mutex_;
  std::deque<std::function<void()>> commands_;  // each has a caller that waits, or is one change of the auditors
  std::deque<std::pair<CurveKey, Bytes>> replies_;
  bool stopping_ = false, stopped_ = false;
  uint64_t stop_deadline_ns_ = 0;
  bool everything_durable_ = true;
  std::mutex stop_mutex_;  // one stop() at a time

  // The bus thread's own.
  std::unique_ptr<Gatekeeper> gatekeeper_;
  std::vector<std::unique_ptr<Station>> stations_;
  std::vector<DialedLink*> links_;
  std::vector<Door*> doors_;
  struct Leaving {
    DialedLink* link;
    uint64_t deadline_ns;
    uint64_t finished_ns;  // 0: not yet
    HungUp done;
  };
  std::vector<Leaving> leaving_;
  bool is_over_ = false;
  bool stop_begun_ = false;
  uint64_t goodbyes_said_ns_ = 0;
};

void BusLoop::run() {
  std::vector<PollItem> items;
  uint64_t wait_ns = 0;
  for (;;) {
    items.clear();
    items.push_back({nullptr, wake_descriptor_});
    gatekeeper_->add_poll_items(items);
    for (const auto& station : stations_) station->add_poll_items(items);
    poll(items, wait_ns);
    drain_wake();
    take_commands();
    wait_ns = turn_all();
    go_on_hanging_up(now());
    if (stop_is_done(now())) break;
  }
  is_over_ = true;
  std::deque<std::function<void()>> late;
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
    late.swap(commands_);
  }
  for (const auto& command : late) command();
  for (const auto& each : leaving_) each.done(not_durable(*each.link->outbox()));
  leaving_.clear();
  links_.clear();
  doors_.clear();
  stations_.clear();
  gatekeeper_.reset();
}

Result<std::shared_ptr<Outbox>> BusLoop::open_link(const DialOptions& dial_options) {
  TRY_ASSIGN(auto link, DialedLink::make(around_, dial_options));
  links_.push_back(link.get());
  auto outbox = link->outbox();
  stations_.push_back(std::move(link));
  return outbox;
}

void BusLoop::begin_hang_up(const std::shared_ptr<Outbox>& outbox, uint64_t deadline_ns, const HungUp& done) {
  const auto link = std::ranges::find_if(links_, [&](const DialedLink* each) { return each->outbox() == outbox; });
  if (link == links_.end()) return done(not_durable(*outbox));
  (*link)->close();
  (*link)->begin_stop();
  leaving_.push_back({*link, deadline_ns, 0, done});
}

void BusLoop::go_on_hanging_up(const Now& at) {
  for (size_t i = 0; i < leaving_.size();) {
    auto& leaving = leaving_[i];
    const bool finished = leaving.link->finished() || (leaving.link->all_durable() && is_away(*leaving.link));
    if (finished && leaving.finished_ns == 0) leaving.finished_ns = at.monotonic_ns;
    const bool left = finished && at.monotonic_ns - leaving.finished_ns >= kGoodbyeLingerNs;
    if (!left && at.monotonic_ns < leaving.deadline_ns) {
      ++i;
      continue;
    }
    const auto done = std::move(leaving.done);
    const auto outbox = leaving.link->outbox();
    leaving.link->discard();
    std::erase(links_, leaving.link);
    std::erase_if(stations_, [&](const auto& station) { return station.get() == leaving.link; });
    leaving_.erase(leaving_.begin() + static_cast<ptrdiff_t>(i));
    done(not_durable(*outbox));
  }
}

uint64_t BusLoop::turn_all() {
  const Now at = now();
  gatekeeper_->turn(at);
  send_replies();
  uint64_t wait_ns = Station::kIdleWaitNs;
  for (const auto& station : stations_) {
    station->turn(at);
    wait_ns = std::min(wait_ns, station->wait_ns(at));
  }
  return stop_begun_ || !leaving_.empty() ? std::min<uint64_t>(wait_ns, 10'000'000) : wait_ns;
}

void BusLoop::drain_wake() {
  uint64_t count;
  [[maybe_unused]] const ssize_t got = read(wake_descriptor_, &count, sizeof count);
}

void BusLoop::take_commands() {
  std::deque<std::function<void()>> commands;
  {
    std::lock_guard lock(mutex_);
    commands.swap(commands_);
    if (stopping_ && !stop_begun_) {
      stop_begun_ = true;
      for (DialedLink* link : links_) link->begin_stop();
    }
  }
  for (const auto& command : commands) command();
}

void BusLoop::send_replies() {
  std::deque<std::pair<CurveKey, Bytes>> replies;
  {
    std::lock_guard lock(mutex_);
    replies.swap(replies_);
  }
  for (const auto& [peer, message] : replies) {
    for (Door* door : doors_) {
      if (door->reply(peer, message)) break;
    }
  }
}

bool BusLoop::stop_is_done(const Now& at) {
  if (!stop_begun_) return false;
  std::lock_guard lock(mutex_);
  const auto nobody_waits = [](const DialedLink* link) { return link->all_durable() || link->outbox()->demoted(); };
  const bool finished = std::ranges::all_of(
      links_, [&](const DialedLink* link) { return link->finished() || (nobody_waits(link) && is_away(*link)); });
  if (finished && goodbyes_said_ns_ == 0) goodbyes_said_ns_ = at.monotonic_ns;
  // A moment for the goodbyes to leave: the sockets close without lingering.
  const bool left = finished && (links_.empty() || at.monotonic_ns - goodbyes_said_ns_ >= kGoodbyeLingerNs);
  if (!left && at.monotonic_ns < stop_deadline_ns_) return false;
  everything_durable_ = std::ranges::all_of(links_, nobody_waits);
  return true;
}

bool BusLoop::stop(uint64_t grace_ms) {
  std::lock_guard stop_lock(stop_mutex_);
  if (!thread_.joinable()) return everything_durable_;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_deadline_ns_ = options_.clock->monotonic_ns() + grace_ms * 1'000'000;
  }
  wake();
  thread_.join();
  return everything_durable_;
}

}  // namespace

Result<std::unique_ptr<Loop>> make_loop(LoopOptions options) {
  CHECK(options.clock != nullptr && options.random != nullptr);
  if (options.keys != nullptr) {
    const SigningKey& own = options.keys->identity();
    if (options.identity.is_zero()) options.identity = own.public_key();
    if (options.signer == nullptr && options.identity == own.public_key()) options.signer = &own;
  }
  auto loop = std::make_unique<BusLoop>(std::move(options));
  TRY(loop->start());
  return std::unique_ptr<Loop>(std::move(loop));
}

}  // namespace theater::bus
