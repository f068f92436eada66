// The text that Prometheus scrapes, and the little server that hands it out: to scrapers, to strangers, to nobody.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <thread>

#include "cli/auditor_metrics.h"
#include "cli/http_server.h"
#include "cli/metrics_door.h"
#include "cli/metrics_text.h"

namespace theater::cli {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Socket {
 public:
  Socket() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{30, 0};  // a hang fails the test instead
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  ~Socket() { close(fd_); }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  static sockaddr_in local(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
  }
  // A port that was free just now.
  uint16_t bind_any() {
    auto address = local(0);
    socklen_t size = sizeof address;
    EXPECT_EQ(bind(fd_, reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    return ntohs(address.sin_port);
  }
  void listen_there() { EXPECT_EQ(listen(fd_, 1), 0); }
  bool connect_to(uint16_t port) {
    const auto address = local(port);
    return connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  void say(const std::string& text) { (void)send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  std::string hear_all() {
    std::string all;
    char buffer[4096];
    for (;;) {
      const ssize_t got = recv(fd_, buffer, sizeof buffer, 0);
      if (got <= 0) return all;
      all.append(buffer, static_cast<size_t>(got));
    }
  }

 private:
  const int fd_;
};

uint16_t free_port() { return Socket().bind_any(); }

std::string ask(uint16_t port, const std::string& request) {
  Socket socket;
  if (!socket.connect_to(port)) return "";
  socket.say(request);
  return socket.hear_all();
}

std::string get(uint16_t port, const std::string& path) {
  return ask(port, "GET " + path + " HTTP/1.1\r\nHost: x\r\n\r\n");
}

TEST(MetricsText, IsWhatPrometheusReads) {
  Metrics metrics;
  metrics.counter("theater_things_total", "Things that \"are\".", uint64_t{1} << 40);
  metrics.gauge("theater_share", "A share.", 0.25);
  metrics.family(Metric::Kind::kGauge, "theater_actors", "By state.");
  metrics.add({{"state", "idle"}, {"odd", "a\"b\\c\nd"}}, 3);
  metrics.family(Metric::Kind::kCounter, "theater_nothing_total", "Not yet.");
  const auto text = metrics_text(metrics.all);
  EXPECT_THAT(text, HasSubstr("# TYPE theater_things_total counter\ntheater_things_total 1099511627776\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE theater_share gauge\ntheater_share 0.25\n"));
  EXPECT_THAT(text, HasSubstr("theater_actors{state=\"idle\",odd=\"a\\\"b\\\\c\\nd\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("# TYPE theater_nothing_total counter\n"));
}

TEST(MetricsText, TheProcessTellsOfItself) {
  std::thread busy([] {
    pthread_setname_np(pthread_self(), "busy) 1 2 (x");  // a name may hold anything
    std::atomic<uint64_t> count{0};
    while (count.fetch_add(1) < 20'000'000) {
    }
    Metrics metrics;
    add_process_metrics(metrics);
    const auto text = metrics_text(metrics.all);
    EXPECT_THAT(text, HasSubstr("theater_thread_cpu_seconds_total{thread=\"busy) 1 2 (x\"} 0."));
    EXPECT_THAT(text, Not(HasSubstr("process_resident_memory_bytes 0")));
    EXPECT_THAT(text, HasSubstr("process_threads 2"));
    EXPECT_THAT(text, HasSubstr("process_start_time_seconds 1"));
  });
  busy.join();
}

class HttpTest : public testing::Test {
 protected:
  void start(HttpServer::Handler handler) {
    auto server = HttpServer::start(str_cat("127.0.0.1:", port_), {{"/page", std::move(handler)}});
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(*server);
  }
  const uint16_t port_ = free_port();
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpTest, PagesAreServedAndNothingElse) {
  start([] { return HttpAnswer{503, "text/x", "not well\n"}; });
  EXPECT_THAT(get(port_, "/page"), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(get(port_, "/page?query=1"), HasSubstr("Content-Type: text/x\r\n"));
  EXPECT_THAT(get(port_, "/page"), testing::EndsWith("\r\n\r\nnot well\n"));
  const auto head = ask(port_, "HEAD /page HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_THAT(head, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(head, testing::EndsWith("\r\n\r\n"));
  for (const char* path : {"/", "/page/x", "/etc/passwd", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd"}) {
    EXPECT_THAT(get(port_, path), StartsWith("HTTP/1.1 404 ")) << path;
    EXPECT_THAT(get(port_, path), Not(HasSubstr("root:"))) << path;
  }
  for (const char* method : {"POST", "PUT", "DELETE", "OPTIONS"}) {
    const auto answer = ask(port_, str_cat(method, " /page HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"));
    EXPECT_THAT(answer, Not(HasSubstr("not well"))) << method;
  }
}

TEST_F(HttpTest, GarbageIsNoRequestAndTheNextOneIsServed) {
  start([] { return HttpAnswer{200, "text/plain", "well\n"}; });
  const std::string zeros(100, '\0');
  for (const std::string& garbage :
       {std::string("\r\n\r\n"), std::string("\x16\x03\x01\x02\r\n\r\n"), zeros + "\r\n\r\n",
        std::string("GET\r\n\r\n"), std::string("GET /page HTTP/9.9\r\n\r\n"),
        "GET /" + std::string(100'000, 'a') + " HTTP/1.1\r\n\r\n",
        "GET /page HTTP/1.1\r\n" + std::string(20'000, 'h') + ": x\r\n\r\n",
        std::string("GET /page HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n")}) {
    EXPECT_THAT(ask(port_, garbage), Not(HasSubstr("well\n"))) << garbage.substr(0, 40);
  }
  EXPECT_THAT(get(port_, "/page"), HasSubstr("well\n"));
}

TEST_F(HttpTest, ManyWhoSayNothingAndSomeWhoReadNothingArePatientlyCutOff) {
  const std::string large(16 << 20, 'x');
  start([&] { return HttpAnswer{200, "text/plain", large}; });
  std::vector<std::unique_ptr<Socket>> idle;
  for (int i = 0; i < 64; ++i) {
    idle.push_back(std::make_unique<Socket>());
    ASSERT_TRUE(idle.back()->connect_to(port_));
    if (i % 8 == 0) idle.back()->say("GET /page HTTP/1.1\r\nHost: x\r\n\r\n");  // and doesn't read
  }
  idle.erase(idle.begin() + 32, idle.end());  // half of them go away again
  std::string answer;
  for (int i = 0; i < 20 && answer.size() < large.size(); ++i) answer = get(port_, "/page");
  EXPECT_GT(answer.size(), large.size()) << "served once those before had their time";
}

TEST_F(HttpTest, APortThatIsTakenIsRefusedAndNamed) {
  Socket other;
  const uint16_t port = other.bind_any();
  other.listen_there();
  const auto address = str_cat("127.0.0.1:", port);
  const auto refused = HttpServer::start(address, {});
  ASSERT_FALSE(refused.ok());
  EXPECT_EQ(refused.error().code, ErrorCode::kRefused);
  EXPECT_THAT(refused.error().message, HasSubstr(address));
  // An address of another machine.
  const auto elsewhere = HttpServer::start("192.0.2.1:9464", {});
  ASSERT_FALSE(elsewhere.ok());
  EXPECT_EQ(elsewhere.error().code, ErrorCode::kIo);
}

TEST(ListenAddress, IsAnAddressAndAPort) {
  for (const char* good : {"127.0.0.1:9464", "0.0.0.0:1", "[::1]:65535", "[::]:80"}) {
    EXPECT_TRUE(check_listen_address(good).ok()) << good;
  }
  for (const char* bad : {"", "9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536",
                          "::1:80", "127.0.0.1:80,127.0.0.1:81", "127.0.0.1:80s", "+80", "*:80"}) {
    const auto checked = check_listen_address(bad);
    ASSERT_FALSE(checked.ok()) << bad;
    EXPECT_THAT(checked.error().message, HasSubstr("127.0.0.1:9464"));
  }
}

TEST(MetricsDoorTest, SaysHowItIsFromTheBeginningToTheEnd) {
  const uint16_t port = free_port();
  ManualClock clock;
  auto door = MetricsDoor::open(str_cat("127.0.0.1:", port), clock);
  ASSERT_TRUE(door.ok()) << door.error().message;
  EXPECT_THAT(get(port, "/healthz"), testing::AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("starting\n")));
  EXPECT_THAT(get(port, "/metrics"), HasSubstr("process_threads"));

  std::atomic<int> collected{0};
  Health health;
  (*door)->serve(
      {[&](Metrics& metrics) { metrics.gauge("theater_test", "A test.", ++collected); }, [&] { return health; }});
  EXPECT_THAT(get(port, "/healthz"), testing::AllOf(StartsWith("HTTP/1.1 200 "), HasSubstr("ok\n")));
  EXPECT_THAT(get(port, "/metrics"), testing::AllOf(HasSubstr("theater_test 1\n"), HasSubstr("version=0.0.4")));
  EXPECT_THAT(get(port, "/metrics"), HasSubstr("theater_test 1\n")) << "not collected again so soon";
  clock.advance_ns(1'000'000'000);
  EXPECT_THAT(get(port, "/metrics"), HasSubstr("theater_test 2\n"));

  health = auditor_health({});
  EXPECT_THAT(get(port, "/healthz"), StartsWith("HTTP/1.1 200 "));
  persist::AuditorStatus full;
  full.last_error = "no space left";
  health = auditor_health(full);
  EXPECT_THAT(get(port, "/healthz"), testing::AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("no space left\n")));
  (*door)->stopping();
  EXPECT_THAT(get(port, "/healthz"), testing::AllOf(StartsWith("HTTP/1.1 503 "), HasSubstr("stopping\n")));
  door->reset();
  EXPECT_EQ(get(port, "/healthz"), "");
  EXPECT_TRUE(MetricsDoor::open("", clock).ok()) << "no address: no door";
}

}  // namespace
}  // namespace theater::cli
