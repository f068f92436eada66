// A few pages over HTTP, for machines that scrape and probe: GET and HEAD, no keep-alive, no files. The web server
// library stops in http_server.cc.
//
// Threads: kThreads of the library's own (*civetweb-worker*, *civetweb-master*) run the handlers, which may take a
// while and must not throw. Bounds: kThreads requests at once, kQueued connections that wait, the rest wait in the
// kernel's backlog; a request that isn't there, or an answer that isn't taken, within kPatienceMs is cut off. So slow
// or many clients make these pages slow, and nothing else.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.h"

namespace theater::cli {

struct HttpAnswer {
  int status = 200;
  std::string type = "text/plain; charset=utf-8";
  std::string body;
};

class HttpServer {
 public:
  static constexpr int kThreads = 32;
  static constexpr int kQueued = 64;
  static constexpr int kPatienceMs = 500;
  using Handler = std::function<HttpAnswer()>;

  // `address` as check_listen_address() wants it; `pages` by path: "/metrics". kRefused if another process listens
  // there.
  static Result<std::unique_ptr<HttpServer>> start(const std::string& address, std::map<std::string, Handler> pages);
  // No handler runs any more when this returns.
  virtual ~HttpServer() = default;
};

// An address of this machine and a port: "127.0.0.1:9464", "[::1]:9464".
Result<void> check_listen_address(const std::string& address);

}  // namespace theater::cli
