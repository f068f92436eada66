// CONTRACT. The control endpoint's messages: how a command line (or any client) asks a node for something. Requests and
// responses are Values (schema/value.h) inside a small envelope, so that a verb is added without a new codec; the page
// docs/formats/control.md lists every verb with its fields.
//
// A request may be answered by several responses (logs -f): all but the last have more = true.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "bus/keys.h"
#include "schema/value.h"

namespace theater::bus {

inline constexpr size_t kControlMessageMax = 32u << 20;  // bytes, encoded; more is refused on both sides
inline constexpr size_t kRequestIdMax = 256;             // bytes

struct ControlRequest {
  uint64_t id = 0;         // the client's, unique in its session; responses carry it
  std::string verb;        // "actor.spawn"
  std::string request_id;  // stands in the record as who asked; a repeated one is answered from the record
  schema::Value args = schema::Value::record({});
};

struct ControlResponse {
  uint64_t id = 0;
  bool more = false;
  std::optional<Error> error;  // else `result`
  schema::Value result = schema::Value::record({});
};

Bytes encode_control(const ControlRequest& request);
Bytes encode_control(const ControlResponse& response);
Result<ControlRequest> decode_control_request(BytesView bytes);
Result<ControlResponse> decode_control_response(BytesView bytes);

// Who is asking, as authenticated: zero for the local Unix socket (the file's permissions are the check there).
struct ControlPeer {
  PublicKey identity;
  std::string name;  // from the authorized keys; "local" for the Unix socket
  bool local = false;
  std::vector<Role> roles;
  bool may(Role role) const;
};

// Sends responses to one request. Copyable, any thread; after the client has gone, sending does nothing and gone() is
// true.
//
// Responses wait for a client that reads slowly, up to a bound; beyond it the client counts as gone. Whoever has many
// looks at the backlog, and leaves out what it can while that is long.
class Responder {
 public:
  struct Backlog {
    size_t responses = 0, bytes = 0;
  };

  virtual ~Responder() = default;
  virtual void respond(ControlResponse response) = 0;
  virtual bool gone() const = 0;
  virtual Backlog backlog() const { return {}; }  // to this request
  // `drained` is called once, when none of this request's responses waits any more: now, later on the bus thread, or
  // never if the client goes away. It may respond, and must not block.
  virtual void when_drained(std::function<void()> drained) { std::exchange(drained, {})(); }
};

// What serves requests. Called on the bus thread: enqueues and returns.
class ControlHandler {
 public:
  virtual ~ControlHandler() = default;
  virtual void handle(const ControlPeer& peer, ControlRequest request, std::shared_ptr<Responder> responder) = 0;
};

// A client, for the command line: one connection, used by one thread.
class ControlClient {
 public:
  struct Options {
    std::string endpoint;                 // "unix:/path" or "tcp://host:port"
    std::optional<std::string> key_file;  // needed for tcp
    std::optional<PublicKeys> server;     // the pinned key of the server; needed for tcp
    uint64_t timeout_ms = 30'000;         // for sending a request and for call()'s response
  };
  // Returns when the other side has let us in. kUnavailable if attempts fail for 3 s or nothing happens for 10 s (or
  // timeout_ms, if that is less), kRefused if it doesn't take our key or has another one than `server`.
  static Result<std::unique_ptr<ControlClient>> connect(const Options& options);
  virtual ~ControlClient() = default;

  // Sends and waits for the one response. kUnavailable when nobody answers within the timeout.
  virtual Result<schema::Value> call(const std::string& verb, schema::Value args,
                                     const std::string& request_id = "") = 0;
  // Sends and passes each response on until the last one or until `each` returns false. Between responses it waits for
  // as long as the connection lives.
  virtual Result<void> stream(const std::string& verb, schema::Value args,
                              const std::function<bool(schema::Value)>& each) = 0;
};

// Helpers for records: the field of that name and kind, or an error that names it.
Result<std::string> text_field(const schema::Value& record, std::string_view name);
Result<uint64_t> number_field(const schema::Value& record, std::string_view name);
Result<Bytes> bytes_field(const schema::Value& record, std::string_view name);
const schema::Value* find_field(const schema::Value& record, std::string_view name);

}  // namespace theater::bus
