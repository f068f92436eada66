// What host functions do when an actor runs live. One file a handler; each function of wasm::host_functions() that
// leaves an event has one implementation here (a test holds the two together). Recording is not the handlers' business:
// the actor turns their arguments and answers into events.
//
// An implementation runs on the guest's stack, on the worker that runs the actor: it doesn't block, recurse or throw.
// It reads call.args (lifted, of the function's type) and fills call.results. kParked means: ask again after the actor
// was woken; only functions with `waits` may say so.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "wasm/engine.h"

namespace theater::node {

class Content;
class Directory;
class Labels;
class Supervisor;
using IoJob = std::function<schema::Value()>;  // what is done on an I/O thread; its answer
struct Manifest;

// What a handler may ask of the actor that called it.
class Services {
 public:
  virtual ~Services() = default;
  virtual const ActorId& self() const = 0;
  // What others see of the call that is being served happens in the same step as its event: `what` is called with true
  // then, or with false if the actor ends before. Once a call.
  virtual void with_event(std::function<void(bool emitted)> what) = 0;
  virtual std::optional<Hash> chain_head() const = 0;
  virtual void log_line(std::string_view text) = 0;  // for people; the event says it anyway
  virtual void random_bytes(std::span<uint8_t> out) = 0;
  // True once `duration_ns` have passed since the call's first wait_ns. False: return kParked, the actor is woken then.
  virtual bool wait_ns(uint64_t duration_ns) = 0;
  // The actor ends after the current call, with `data` as its last word.
  virtual void end_after_call(std::optional<Bytes> data) = 0;

  // Messages. Takes room in the target's mailbox; the message goes there in the same step as the call's next event.
  // False: there is no room yet; return kParked, the actor is woken then. An error says why it will never go.
  virtual Result<bool> send_with_event(std::string_view target, BytesView message) = 0;
  // The same for a request. An error becomes the answer.
  virtual bool request_with_event(std::string_view target, BytesView message, std::optional<uint64_t> timeout_ns) = 0;
  // The same for a call of an export of the target's, by its name.
  virtual bool call_with_event(std::string_view target, std::string_view function, BytesView args,
                               std::optional<uint64_t> timeout_ns) = 0;
  virtual bool asks() const = 0;  // an answer is awaited
  // What came back. No value: nothing yet; return kParked.
  virtual std::optional<Result<std::optional<Bytes>>> take_answer() = 0;
  // Requests made to this actor, by number.
  virtual std::optional<uint64_t> current_request() const = 0;
  virtual std::vector<uint64_t> outstanding_requests() const = 0;
  // The answer goes to whoever asked in the same step as the call's event. An error says why it can't.
  virtual Result<void> answer_with_event(uint64_t request, Result<std::optional<Bytes>> answer) = 0;

  // Channels, by number. As request_with_event and take_answer, as send_with_event, as answer_with_event.
  struct OpenedChannel {
    uint64_t number = 0;
    std::optional<Bytes> said;
  };
  virtual bool open_channel_with_event(std::string_view target, BytesView message,
                                       std::optional<uint64_t> timeout_ns) = 0;
  virtual std::optional<Result<OpenedChannel>> take_channel() = 0;
  virtual Result<bool> send_on_channel_with_event(uint64_t channel, BytesView message) = 0;
  virtual Result<void> close_channel_with_event(uint64_t channel) = 0;

  // Timers of this actor, by number. Errors say why not.
  virtual Result<uint64_t> set_timer(uint64_t delay_ns, bool repeats, BytesView data) = 0;
  virtual Result<void> cancel_timer(uint64_t timer) = 0;
  virtual std::vector<uint64_t> timers() const = 0;
  virtual Directory& directory() = 0;

  // Children. Null without the handler `supervisor`.
  virtual Supervisor* supervisor() = 0;
  virtual Result<void> may_spawn(const Manifest& child) const = 0;  // kRefused: it grants more than this actor has
  virtual Result<void> watch_child(const ActorId& child,
                                   bool watch) = 0;  // its events; kRefused if it is no descendant
  // Asks another actor for its state: take_answer() has it. False: there is no such actor.
  virtual bool ask_for_state(const ActorId& actor) = 0;
  // Links and monitors. A target is an id or a name. Links come and go with the call's event; a monitor, which nobody
  // but this actor sees, at once.
  virtual Result<void> link(std::string_view target) = 0;
  virtual Result<void> unlink(std::string_view target) = 0;
  virtual Result<uint64_t> monitor(std::string_view target) = 0;
  virtual bool demonitor(uint64_t number) = 0;

  virtual const Manifest& manifest() const = 0;  // what the actor was granted
  // What may take long goes to the node's I/O threads, one job for each host call: `make_job` is asked once. No value:
  // the job isn't done yet; return kParked. A job that hasn't begun when its actor is killed is dropped.
  virtual std::optional<schema::Value> offload(const std::function<IoJob()>& make_job) = 0;
  // The same for what comes from elsewhere: `start` is called once, with what takes the answer, on any thread or at
  // once.
  virtual std::optional<schema::Value> await_answer(
      const std::function<void(std::function<void(schema::Value)>)>& start) = 0;
  virtual Content& content() = 0;
  virtual Labels& labels() = 0;  // the actor's own or the node's, as the manifest says
  virtual bool holds_secret(const std::vector<schema::Value>& values) const = 0;
  // Of the node's environment, granted or not; nullptr if it isn't set.
  virtual const std::string* variable(const std::string& name) const = 0;
};

using Implementation = wasm::HostStatus (*)(Services& services, wasm::HostCall& call);

struct HandlerEntry {
  std::string_view function;  // as in the table: "log"
  Implementation implementation;
  // Of functions with the effect `outside`: before the intent is emitted. Never traps, fills no results.
  Implementation prepare = nullptr;
};

// What a manifest can grant.
struct Handler {
  std::string_view type;  // as in manifests: "message-server"
  std::span<const HandlerEntry> entries;
  // Of a module, whatever it was granted.
  Result<void> (*check)(const Manifest& manifest, const wasm::Module& module) = nullptr;
};
std::span<const Handler> handlers();

// nullptr for functions that never reach the host, and for those that nobody implements.
const HandlerEntry* find_implementation(const wasm::HostFunction& function);

// Refuses a module that needs what the manifest doesn't grant: kRefused, naming the import and the line to add. One
// that is granted message-server without an export that takes messages, one that sets timers and takes no ticks, and
// one without a function that the manifest lets others call.
Result<void> check_grants(const Manifest& manifest, const wasm::Module& module);

// The line to add to a manifest, for messages.
std::string grant_line(std::string_view handler);

// One for each handler, in its own file.
std::span<const HandlerEntry> runtime_handler();
std::span<const HandlerEntry> timing_handler();
std::span<const HandlerEntry> random_handler();
std::span<const HandlerEntry> wasi_handler();
std::span<const HandlerEntry> message_server_handler();
std::span<const HandlerEntry> timer_handler();
std::span<const HandlerEntry> rpc_handler();
std::span<const HandlerEntry> names_handler();
std::span<const HandlerEntry> environment_handler();
std::span<const HandlerEntry> supervisor_handler();
std::span<const HandlerEntry> links_handler();
std::span<const HandlerEntry> filesystem_handler();
std::span<const HandlerEntry> store_handler();
Result<void> check_message_server(const Manifest& manifest, const wasm::Module& module);
Result<void> check_timer(const Manifest& manifest, const wasm::Module& module);
Result<void> check_rpc(const Manifest& manifest, const wasm::Module& module);

inline constexpr uint64_t kRandomBytesMax = uint64_t{1} << 20;

}  // namespace theater::node
