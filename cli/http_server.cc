#include "cli/http_server.h"

#include <arpa/inet.h>
#include <civetweb.h>

#include <chrono>
#include <mutex>
#include <thread>
#include <utility>

#include "bus/endpoint.h"

namespace theater::cli {
namespace {

// Of somebody else's process that is ending, the port is free a moment later.
constexpr int kAttempts = 10, kAttemptMs = 100;

// The library says what went wrong to a callback, on the thread that calls it.
thread_local std::string complaints;

int keep_complaint(const mg_connection*, const char* message) {
  constexpr size_t kMax = 1'000;
  if (complaints.size() < kMax) complaints += str_cat(complaints.empty() ? "" : "; ", message);
  return 1;  // not to the library's own log
}

int ignore_access(const mg_connection*, const char*) { return 1; }

class WebServer final : public HttpServer {
 public:
  explicit WebServer(std::map<std::string, Handler> pages) : pages_(std::move(pages)) { mg_init_library(0); }
  ~WebServer() override {
    if (context_ != nullptr) mg_stop(context_);
    mg_exit_library();
  }
  WebServer(const WebServer&) = delete;
  WebServer& operator=(const WebServer&) = delete;

  Result<void> listen(const std::string& address) {
    const auto threads = std::to_string(kThreads), queued = std::to_string(kQueued), patience = str_cat(kPatienceMs);
    const char* options[] = {"listening_ports",
                             address.c_str(),  //
                             "num_threads",
                             threads.c_str(),  //
                             "connection_queue",
                             queued.c_str(),  //
                             "request_timeout_ms",
                             patience.c_str(),  //
                             "max_request_size",
                             "8192",  //
                             "enable_keep_alive",
                             "no",  //
                             nullptr};
    mg_callbacks callbacks{};
    callbacks.log_message = keep_complaint;
    callbacks.log_access = ignore_access;
    bool in_use = false;
    for (int attempt = 0; attempt < kAttempts && context_ == nullptr && (attempt == 0 || in_use); ++attempt) {
      if (attempt > 0) std::this_thread::sleep_for(std::chrono::milliseconds(kAttemptMs));
      complaints.clear();
      context_ = mg_start(&callbacks, this, options);
      in_use = complaints.find("in use") != std::string::npos;
    }
    if (context_ == nullptr) {
      return Error{in_use ? ErrorCode::kRefused : ErrorCode::kIo,
                   str_cat("can't listen on ", address, " for metrics: ",
                           in_use ? "another process listens there; choose another port or stop it" : complaints)};
    }
    mg_set_request_handler(context_, "**", serve, this);
    return Ok{};
  }

 private:
  static int serve(mg_connection* connection, void* self) {
    return static_cast<const WebServer*>(self)->serve(connection);
  }

  int serve(mg_connection* connection) const {
    const auto* request = mg_get_request_info(connection);
    const std::string method = request->request_method, path = request->local_uri;
    HttpAnswer answer;
    if (method != "GET" && method != "HEAD") {
      answer = {405, answer.type, "only GET and HEAD\n"};
    } else if (const auto page = pages_.find(path); page != pages_.end()) {
      answer = page->second();
    } else {
      answer = {404, answer.type, "there is:"};
      for (const auto& [known, handler] : pages_) answer.body += str_cat(" ", known);
      answer.body += "\n";
    }
    mg_printf(connection,
              "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nCache-Control: no-store\r\n"
              "Connection: close\r\n%s\r\n",
              answer.status, mg_get_response_code_text(connection, answer.status), answer.type.c_str(),
              answer.body.size(), answer.status == 405 ? "Allow: GET, HEAD\r\n" : "");
    if (method != "HEAD") mg_write(connection, answer.body.data(), answer.body.size());
    return answer.status;
  }

  const std::map<std::string, Handler> pages_;
  mg_context* context_ = nullptr;
};

}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::start(const std::string& address,
                                                      std::map<std::string, Handler> pages) {
  TRY(check_listen_address(address));
  auto server = std::make_unique<WebServer>(std::move(pages));
  TRY(server->listen(address));
  return std::unique_ptr<HttpServer>(std::move(server));
}

Result<void> check_listen_address(const std::string& address) {
  const auto bad = [&] {
    return Error{ErrorCode::kInvalid,
                 str_cat("'", address, "' is no address to listen on; 127.0.0.1:9464 or [::1]:9464 is expected")};
  };
  if (!bus::check_tcp_endpoint("tcp://" + address).ok()) return bad();
  auto host = address.substr(0, address.rfind(':'));
  const bool is_six = host.starts_with('[') && host.ends_with(']');
  if (is_six) host = host.substr(1, host.size() - 2);
  in6_addr parsed{};
  if (inet_pton(is_six ? AF_INET6 : AF_INET, host.c_str(), &parsed) != 1) return bad();
  return Ok{};
}

}  // namespace theater::cli
