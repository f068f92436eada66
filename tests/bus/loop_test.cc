// Links over real sockets: tcp with CURVE between two loops, and inproc within one. (Production has one context a
// process; a test process has two, which is safe as long as both live through the same calls into libsodium.)
#include "bus/loop.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>

#include "bus/zmq_socket.h"
#include "tests/bus/test_auditor.h"

namespace theater::bus {
namespace {

// Two ports that were free a moment ago.
std::pair<std::string, std::string> free_endpoints() {
  std::string endpoints[2];
  int sockets[2];
  for (int i = 0; i < 2; ++i) {
    sockets[i] = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(sockets[i], reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(sockets[i], reinterpret_cast<sockaddr*>(&address), &size), 0);
    endpoints[i] = str_cat("tcp://127.0.0.1:", ntohs(address.sin_port));
  }
  for (int descriptor : sockets) ::close(descriptor);
  return {endpoints[0], endpoints[1]};
}

class Log {
 public:
  void add(const std::string& line) {
    std::lock_guard lock(mutex_);
    lines_.push_back(line);
  }
  bool has(const std::string& part) {
    std::lock_guard lock(mutex_);
    for (const auto& line : lines_) {
      if (line.find(part) != std::string::npos) return true;
    }
    return false;
  }
  size_t count(const std::string& part) {
    std::lock_guard lock(mutex_);
    return static_cast<size_t>(
        std::ranges::count_if(lines_, [&](const std::string& line) { return line.find(part) != std::string::npos; }));
  }
  std::string all() {
    std::lock_guard lock(mutex_);
    std::string text;
    for (const auto& line : lines_) text += line + "\n";
    return text;
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> lines_;
};

class LoopTest : public ::testing::Test {
 protected:
  LoopTest() {
    char path[] = "/tmp/theater-bus-test-XXXXXX";
    directory_ = mkdtemp(path);
    std::tie(data_, control_) = free_endpoints();
    authorize(node_keys_.public_keys());
  }
  ~LoopTest() override {
    node_.reset();
    close_auditor();
    std::filesystem::remove_all(directory_);
  }

  std::string keys_path() const { return directory_ + "/authorized"; }
  void authorize(const PublicKeys& keys) { std::ofstream(keys_path()) << "node " << keys.text() << " the-node\n"; }

  void open_auditor() {
    LoopOptions options{&auditor_keys_, {},       "",
                        &clock_,        &random_, [this](const std::string& line) { auditor_log_.add(line); }};
    auditor_loop_ = make_loop(options).value();
    auditor_ = std::make_unique<TestAuditor>(disk_, clock_);
    const auto listening = auditor_loop_->listen({data_, control_, keys_path()}, auditor_->sink());
    ASSERT_TRUE(listening.ok()) << listening.error().message;
    auditor_->start(*auditor_loop_);
  }
  // As if killed: whatever was accepted and not durable is gone.
  void close_auditor() {
    if (auditor_) auditor_->finish();
    auditor_loop_.reset();
    auditor_.reset();
  }
  void open_node(const PublicKeys& server, uint64_t window_bytes = 4 << 20) {
    LoopOptions options{&node_keys_, {},       "node-1",
                        &clock_,     &random_, [this](const std::string& line) { node_log_.add(line); }};
    node_ = make_loop(options).value();
    auto outbox = node_->dial({"first", data_, control_, server, window_bytes});
    ASSERT_TRUE(outbox.ok()) << outbox.error().message;
    outbox_ = *outbox;
  }
  void emit(uint64_t number, size_t size = 288) {
    const auto event = test_event(1, number, size);
    ASSERT_TRUE(eventually([&] { return outbox_->try_reserve(test_actor(1), Outbox::event_room(event.bytes.size())); }))
        << outbox_->status().last_error;
    outbox_->append(event);
  }
  void expect_all_stored(uint64_t events) {
    EXPECT_TRUE(eventually([&] { return outbox_->status().durable_events == events; }))
        << outbox_->status().durable_events << " of " << events << ": " << outbox_->status().last_error << "\n"
        << node_log_.all() << auditor_log_.all();
    std::lock_guard lock(disk_.mutex);
    EXPECT_TRUE(disk_.problems.empty()) << disk_.problems.front();
    ASSERT_EQ(disk_.events.size(), events);
    for (uint64_t i = 0; i < events; ++i) ASSERT_EQ(disk_.events[i], i);
  }

  SystemClock clock_;
  SystemRandom random_;
  SecretKeys node_keys_ = SecretKeys::generate();
  SecretKeys auditor_keys_ = SecretKeys::generate();
  std::string directory_, data_, control_;
  Log node_log_, auditor_log_;
  Disk disk_;
  std::unique_ptr<Loop> auditor_loop_, node_;
  std::unique_ptr<TestAuditor> auditor_;
  std::shared_ptr<Outbox> outbox_;
};

TEST_F(LoopTest, every_event_arrives_over_curve_and_stop_waits_for_it) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  for (uint64_t i = 0; i < 20'000; ++i) emit(i);
  EXPECT_TRUE(node_->stop(60'000));
  expect_all_stored(20'000);
  EXPECT_TRUE(node_log_.has("connected to auditor first"));
}

TEST_F(LoopTest, the_same_within_one_process_over_inproc) {
  data_ = "inproc://data";
  control_ = "inproc://control";
  LoopOptions options{nullptr, {}, "both", &clock_, &random_, [this](const std::string& line) { node_log_.add(line); }};
  options.identity.bytes[0] = 1;
  node_ = make_loop(options).value();
  auditor_ = std::make_unique<TestAuditor>(disk_, clock_);
  ASSERT_TRUE(node_->listen({data_, control_, ""}, auditor_->sink()).ok());
  outbox_ = node_->dial({"own", data_, control_, {}, 4 << 20}).value();
  auditor_->start(*node_);
  for (uint64_t i = 0; i < 20'000; ++i) emit(i);
  EXPECT_TRUE(node_->stop(60'000));
  expect_all_stored(20'000);
  auditor_->finish();
}

TEST_F(LoopTest, an_auditor_that_is_killed_again_and_again_loses_nothing_and_takes_nothing_twice) {
  open_node(auditor_keys_.public_keys());
  uint64_t emitted = 0;
  for (int round = 0; round < 6; ++round) {
    open_auditor();
    const size_t stored = disk_.event_count();
    for (int i = 0; i < 2000; ++i) emit(emitted++);
    ASSERT_TRUE(eventually([&] { return disk_.event_count() > stored; })) << outbox_->status().last_error;
    auditor_->hold(true);  // the rest of the round is sent, accepted and never durable
    for (int i = 0; i < 4000; ++i) {
      const auto event = test_event(1, emitted);
      if (!outbox_->try_reserve(test_actor(1), Outbox::event_room(event.bytes.size()))) break;  // the window is full
      outbox_->append(event);
      ++emitted;
    }
    const auto status = outbox_->status();
    EXPECT_LE(status.appended_bytes - status.durable_bytes, 4u << 20);
    close_auditor();
  }
  open_auditor();
  expect_all_stored(emitted);
  EXPECT_GE(outbox_->status().reconnects, 5u);
}

TEST_F(LoopTest, without_an_auditor_there_is_no_room_and_a_waker_runs_when_there_is) {
  open_node(auditor_keys_.public_keys());
  const auto event = test_event(1, 0);
  EXPECT_FALSE(outbox_->try_reserve(test_actor(1), Outbox::event_room(event.bytes.size())));
  std::atomic<bool> woken = false;
  outbox_->when_room(event.actor, [&] { woken = true; });
  EXPECT_TRUE(eventually([&] { return node_log_.has("1 actor waits for auditor first"); })) << node_log_.all();
  EXPECT_FALSE(woken);
  EXPECT_FALSE(outbox_->status().connected);
  EXPECT_FALSE(outbox_->status().last_error.empty());
  open_auditor();
  EXPECT_TRUE(eventually([&] { return woken.load(); })) << node_log_.all();
  emit(0);
  expect_all_stored(1);
}

TEST_F(LoopTest, a_node_with_the_wrong_key_of_the_auditor_is_refused_and_both_say_so) {
  open_auditor();
  open_node(SecretKeys::generate().public_keys());
  EXPECT_TRUE(eventually([&] { return node_log_.has("public key configured for it is not its own"); }))
      << node_log_.all();
  EXPECT_TRUE(eventually([&] { return auditor_log_.has("a handshake failed"); })) << auditor_log_.all();
  EXPECT_FALSE(outbox_->try_reserve(test_actor(1), 8));
  EXPECT_NE(outbox_->status().last_error.find("first"), std::string::npos);
}

TEST_F(LoopTest, a_node_that_isnt_authorized_is_refused_until_the_file_names_it) {
  authorize(SecretKeys::generate().public_keys());
  open_auditor();
  open_node(auditor_keys_.public_keys());
  EXPECT_TRUE(eventually([&] { return node_log_.has("refused this node's key"); })) << node_log_.all();
  EXPECT_TRUE(eventually([&] { return auditor_log_.has("refused a connection from"); })) << auditor_log_.all();
  EXPECT_FALSE(outbox_->try_reserve(test_actor(1), 8));
  authorize(node_keys_.public_keys());
  std::filesystem::last_write_time(keys_path(),
                                   std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  emit(0);
  expect_all_stored(1);
}

TEST_F(LoopTest, a_key_that_is_taken_out_stops_at_once) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  authorize(SecretKeys::generate().public_keys());
  std::filesystem::last_write_time(keys_path(),
                                   std::filesystem::file_time_type::clock::now() + std::chrono::seconds(5));
  ASSERT_TRUE(eventually([&] { return auditor_log_.has("authorized keys from"); }));
  emit(1);
  EXPECT_TRUE(eventually([&] { return auditor_log_.has("dropped messages from a key"); })) << auditor_log_.all();
  EXPECT_EQ(disk_.event_count(), 1u);
}

TEST_F(LoopTest, blobs_travel_in_pieces_once_and_gaps_are_marked) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  Bytes blob(300'000);
  random_.fill(blob);
  const Hash hash = sha256(blob);
  ASSERT_TRUE(outbox_->needs_blob(hash));
  for (size_t offset = 0; offset < blob.size(); offset += Outbox::kBlobPieceMax) {
    const size_t size = std::min(Outbox::kBlobPieceMax, blob.size() - offset);
    ASSERT_TRUE(eventually([&] { return outbox_->try_reserve_blob(test_actor(1), hash, Outbox::blob_room(size)); }));
    outbox_->append_blob(test_actor(1), hash, blob.size(), offset, BytesView(blob).subspan(offset, size));
  }
  EXPECT_FALSE(outbox_->needs_blob(hash));
  for (uint64_t i = 5; i < 9; ++i) outbox_->drop(test_event(2, i));
  emit(0);
  std::atomic<bool> durable = false;
  outbox_->when_durable([&](Durability word) { durable = word == Durability::kDurable; });
  ASSERT_TRUE(eventually([&] { return durable.load(); }));
  expect_all_stored(1);
  std::lock_guard lock(disk_.mutex);
  EXPECT_EQ(disk_.blobs[hash], blob);
  ASSERT_EQ(disk_.gaps.size(), 1u);
  EXPECT_EQ(disk_.gaps[0].actor, test_actor(2));
  EXPECT_EQ(disk_.gaps[0].first, 5u);
  EXPECT_EQ(disk_.gaps[0].last, 8u);
  EXPECT_EQ(disk_.gaps[0].head, test_event(2, 8).hash);
  EXPECT_EQ(outbox_->status().dropped_events, 4u);
}

TEST_F(LoopTest, a_blob_is_fetched_back_whole) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  Bytes blob(500'000);
  random_.fill(blob);
  const Hash hash = sha256(blob), unknown = sha256(as_bytes("never sent"));
  {
    std::lock_guard lock(disk_.mutex);
    disk_.blobs[hash] = blob;
  }
  const auto fetch = [&](const Hash& which, uint64_t length_max) {
    auto answer = std::make_shared<std::promise<Result<Bytes>>>();
    outbox_->fetch_blob(which, length_max, [answer](Result<Bytes> got) { answer->set_value(std::move(got)); });
    return answer->get_future();
  };
  const auto got = fetch(hash, blob.size()).get();
  ASSERT_TRUE(got.ok()) << got.error().message;
  EXPECT_EQ(*got, blob);
  EXPECT_EQ(fetch(unknown, 1'000).get().error().code, ErrorCode::kNotFound);
  EXPECT_EQ(fetch(hash, 1'000).get().error().code, ErrorCode::kRefused);
  std::vector<std::future<Result<Bytes>>> many;
  for (int i = 0; i < 50; ++i) many.push_back(fetch(hash, blob.size()));
  for (auto& each : many) EXPECT_TRUE(each.get().ok());
  close_auditor();
  EXPECT_EQ(fetch(hash, blob.size()).get().error().code, ErrorCode::kUnavailable);
}

// Memory of this process.
size_t resident_bytes() {
  size_t pages = 0, resident = 0;
  std::ifstream("/proc/self/statm") >> pages >> resident;
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

// Sends one message of 1 GiB in parts of so many bytes, which are all the same memory here. Returns by how much this
// process grew until the other side broke the connection.
size_t growth_by_an_endless_message(SocketRole role, const SocketSecurity& security, const std::string& endpoint,
                                    size_t part) {
  static Bytes bytes(64 * 1024);
  ZmqContext context(1);
  auto made = ZmqSocket::make(context, role, security, 4096).value();
  auto watch = made.watch(context, true).value();
  auto socket = std::move(made);  // closed before its watcher
  EXPECT_TRUE(socket.connect(endpoint).ok());
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  const auto happens = [&](WatchEvent event, const std::function<void()>& meanwhile) {
    while (std::chrono::steady_clock::now() < until) {
      while (const auto watched = watch.next_watched()) {
        if (watched->event == event) return true;
      }
      meanwhile();
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  };
  EXPECT_TRUE(happens(WatchEvent::kConnected, [] {}));
  for (size_t left = (size_t{1} << 30) / part; left > 0; --left) {
    zmq_msg_t message;
    zmq_msg_init_data(&message, bytes.data(), part, [](void*, void*) {}, nullptr);
    EXPECT_GE(zmq_msg_send(&message, socket.raw(), left > 1 ? ZMQ_SNDMORE : 0), 0) << zmq_strerror(zmq_errno());
  }
  const size_t queued = resident_bytes();
  size_t most = queued;
  EXPECT_TRUE(happens(WatchEvent::kDisconnected, [&] { most = std::max(most, resident_bytes()); }));
  return most - queued;
}

TEST_F(LoopTest, a_message_without_end_is_cut_before_it_fills_the_memory) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  const SocketSecurity security{&node_keys_, auditor_keys_.public_keys().curve, ""};
  const struct {
    SocketRole role;
    std::string endpoint;
    size_t part;
  } ways[] = {{SocketRole::kDataOut, data_, 64 * 1024}, {SocketRole::kTalk, control_, 4'000}};
  for (const auto& way : ways) {
    EXPECT_LT(growth_by_an_endless_message(way.role, security, way.endpoint, way.part), size_t{512} << 20);
    EXPECT_TRUE(eventually([&] {
      return auditor_log_.has("at " + way.endpoint + ", which sent a message without end");
    })) << auditor_log_.all();
    emit(outbox_->status().appended_events);
  }
  expect_all_stored(3);
}

TEST_F(LoopTest, an_auditor_that_lost_its_store_stops_the_link_with_advice) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  close_auditor();
  disk_.marks.clear();
  open_auditor();
  EXPECT_TRUE(eventually([&] { return node_log_.has("it lost frames"); })) << node_log_.all();
  EXPECT_FALSE(outbox_->status().connected);
  EXPECT_NE(outbox_->status().last_error.find("Restore its store"), std::string::npos);
}

TEST_F(LoopTest, garbage_from_an_authorized_key_is_dropped_and_the_link_goes_on) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  {
    ZmqContext context(1);
    const SocketSecurity security{&node_keys_, auditor_keys_.public_keys().curve, ""};
    auto data = ZmqSocket::make(context, SocketRole::kDataOut, security, 4096).value();
    auto talk = ZmqSocket::make(context, SocketRole::kTalk, security, 4096).value();
    ASSERT_TRUE(data.connect(data_).ok());
    ASSERT_TRUE(talk.connect(control_).ok());
    for (ZmqSocket* socket : {&data, &talk}) {
      for (int i = 0; i < 50; ++i) {
        Bytes garbage(8 * random_.below(100));
        random_.fill(garbage);
        ASSERT_TRUE(eventually([&] { return socket->send(garbage) == SendOutcome::kSent; }));
      }
      const std::vector<Bytes> parts(4, Bytes(64));
      socket->send_parts(parts);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
  }
  for (uint64_t i = 1; i < 1000; ++i) emit(i);
  expect_all_stored(1000);
}

TEST_F(LoopTest, bad_endpoints_and_missing_keys_are_refused_with_a_reason) {
  open_node(auditor_keys_.public_keys());
  EXPECT_NE(
      node_->dial({"x", "http://a", "tcp://b:1", auditor_keys_.public_keys()}).error().message.find("tcp://HOST:PORT"),
      std::string::npos);
  EXPECT_NE(node_->dial({"x", data_, control_, {}}).error().message.find("public key is missing"), std::string::npos);
  EXPECT_FALSE(node_->dial({"x", data_, control_, auditor_keys_.public_keys(), 1000}).ok());
  EXPECT_FALSE(
      node_->listen({"tcp://127.0.0.1:0", "tcp://127.0.0.1:0", directory_ + "/none"}, [](Inbound) { return true; })
          .ok());
  EXPECT_FALSE(node_->listen({"tcp://1.2.3.4:1", "tcp://1.2.3.4:2", keys_path()}, [](Inbound) { return true; }).ok());
}

// What a hang-up says: how many events weren't acknowledged.
std::future<uint64_t> hang_up(Loop& loop, const std::shared_ptr<Outbox>& outbox, uint64_t grace_ms) {
  auto lost = std::make_shared<std::promise<uint64_t>>();
  loop.hang_up(outbox, grace_ms, [lost](uint64_t events) { lost->set_value(events); });
  return lost->get_future();
}

TEST_F(LoopTest, a_link_is_hung_up_when_what_it_took_is_durable_and_another_is_dialed) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  for (uint64_t i = 0; i < 1'000; ++i) emit(i);
  ASSERT_TRUE(outbox_->try_reserve(ActorId{}, 1'000));
  EXPECT_EQ(hang_up(*node_, outbox_, 60'000).get(), 0u);
  EXPECT_TRUE(outbox_->closed());
  expect_all_stored(1'000);
  EXPECT_FALSE(outbox_->try_reserve(ActorId{}, 1));
  outbox_->release(ActorId{}, 1'000);  // whoever held room may still give it back, or use it, which goes nowhere
  EXPECT_EQ(hang_up(*node_, outbox_, 60'000).get(), 0u) << "it is gone already";

  std::promise<Result<std::shared_ptr<Outbox>>> dialed;
  const DialOptions again{"first", data_, control_, auditor_keys_.public_keys(), 4 << 20};
  node_->dial(again, [&](Result<std::shared_ptr<Outbox>> outbox) { dialed.set_value(std::move(outbox)); });
  outbox_ = dialed.get_future().get().value();
  EXPECT_TRUE(eventually([&] { return outbox_->status().connected; })) << node_log_.all();
  std::promise<Result<std::shared_ptr<Outbox>>> refused;
  node_->dial({"bad", "http://a", control_, auditor_keys_.public_keys()},
              [&](Result<std::shared_ptr<Outbox>> outbox) { refused.set_value(std::move(outbox)); });
  EXPECT_FALSE(refused.get_future().get().ok());
}

TEST_F(LoopTest, hanging_up_a_dead_auditor_wakes_who_waits_and_says_what_is_lost) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  auditor_->hold(true);
  emit(1);
  std::promise<void> durable, room;
  outbox_->when_durable([&](Durability word) {
    if (word == Durability::kNotWaitedFor) durable.set_value();
  });
  while (outbox_->try_reserve(ActorId{}, 64 * 1024)) {
  }
  outbox_->when_room(ActorId{}, [&] { room.set_value(); });
  auto lost = hang_up(*node_, outbox_, 200);
  durable.get_future().get();
  room.get_future().get();
  EXPECT_EQ(lost.get(), 1u);
  std::promise<bool> fetched;
  outbox_->fetch_blob(Hash{}, 100, [&](const Result<Bytes>& got) { fetched.set_value(got.ok()); });
  EXPECT_FALSE(fetched.get_future().get());
  auditor_->hold(false);
}

TEST_F(LoopTest, nobody_waits_for_a_demoted_link) {
  open_node(auditor_keys_.public_keys());  // and no auditor
  std::promise<void> first, second;
  outbox_->when_room(ActorId{}, [&] { first.set_value(); });
  outbox_->demote(true);
  first.get_future().get();
  outbox_->when_room(ActorId{}, [&] { second.set_value(); });
  second.get_future().get();
  EXPECT_TRUE(outbox_->demoted() && outbox_->status().demoted);
  bool woken = false;
  outbox_->demote(false);
  outbox_->when_room(ActorId{}, [&] { woken = true; });
  EXPECT_FALSE(woken) << "it is waited for again";
  outbox_->forget_waker(ActorId{});
}

TEST_F(LoopTest, a_stranger_with_a_new_key_each_time_fills_no_log) {
  open_auditor();
  ZmqContext context(1);
  for (int i = 0; i < 5; ++i) {
    const SecretKeys stranger = SecretKeys::generate();
    const SocketSecurity security{&stranger, auditor_keys_.public_keys().curve, ""};
    auto made = ZmqSocket::make(context, SocketRole::kTalk, security, 4096).value();
    auto watch = made.watch(context).value();
    auto socket = std::move(made);  // closed before its watcher
    ASSERT_TRUE(socket.connect(control_).ok());
    EXPECT_TRUE(eventually([&] {
      const auto watched = watch.next_watched();
      return watched && watched->event == WatchEvent::kRefusedKey;
    }));
  }
  EXPECT_EQ(auditor_log_.count("refused a connection"), 1u) << auditor_log_.all();
}

// Stops the node and says how long it took.
std::pair<bool, uint64_t> stop_and_time(Loop& node, uint64_t grace_ms) {
  const auto begun = std::chrono::steady_clock::now();
  const bool all_durable = node.stop(grace_ms);
  const auto took = std::chrono::steady_clock::now() - begun;
  return {all_durable, std::chrono::duration_cast<std::chrono::milliseconds>(took).count()};
}

TEST_F(LoopTest, stopping_doesnt_wait_for_a_demoted_auditor_that_is_gone_nor_counts_it) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  close_auditor();
  emit(1);
  outbox_->demote(true);
  ASSERT_TRUE(eventually([&] { return !outbox_->status().connected; }));
  const auto [all_durable, took_ms] = stop_and_time(*node_, 20'000);
  EXPECT_TRUE(all_durable);
  EXPECT_LT(took_ms, 10'000u);
}

TEST_F(LoopTest, stopping_doesnt_wait_for_an_auditor_that_never_came) {
  open_node(auditor_keys_.public_keys());
  const auto [all_durable, took_ms] = stop_and_time(*node_, 20'000);
  EXPECT_TRUE(all_durable);
  EXPECT_LT(took_ms, 10'000u);
}

TEST_F(LoopTest, after_stop_calls_do_nothing_and_stop_says_if_something_was_left) {
  open_auditor();
  open_node(auditor_keys_.public_keys());
  emit(0);
  expect_all_stored(1);
  auditor_->hold(true);
  emit(1);
  EXPECT_FALSE(node_->stop(100));
  EXPECT_FALSE(node_->stop(100));
  EXPECT_FALSE(node_->dial({"first", data_, control_, auditor_keys_.public_keys()}).ok());
  node_->reply({}, {});
}

}  // namespace
}  // namespace theater::bus
