#include "supervise/facts.h"

#include <algorithm>
#include <cstring>

namespace theater::supervise {

using schema::Value;

namespace {

constexpr std::string_view kAsked = "supervisor/asked";
constexpr std::string_view kChildStarted = "supervisor/child-started";
constexpr std::string_view kChildStartFailed = "supervisor/child-start-failed";
constexpr std::string_view kChildExited = "supervisor/child-exited";

constexpr Exit::Kind kExitKinds[] = {Exit::Kind::normal, Exit::Kind::shutdown, Exit::Kind::error, Exit::Kind::killed};
constexpr const char* kExitNames[] = {"normal", "shutdown", "error", "killed"};
constexpr const char* kShutdownNames[] = {"brutal_kill", "timeout", "infinity"};  // in the order of Shutdown::Kind

template <typename... Each>
struct Overloaded : Each... {
  using Each::operator()...;
};
template <typename... Each>
Overloaded(Each...) -> Overloaded<Each...>;

using Fields = std::vector<Value::Field>;

void put_spec(const ChildSpec& spec, Fields& fields) {
  fields.push_back({"child", Value::string(spec.id)});
  fields.push_back({"restart", Value::string(restart_name(spec.restart))});
  fields.push_back({"supervisor", Value::boolean(spec.is_supervisor)});
  if (!spec.shutdown) return;
  fields.push_back({"shutdown", Value::string(kShutdownNames[static_cast<size_t>(spec.shutdown->kind)])});
  fields.push_back({"shutdown-ms", Value::u64(spec.shutdown->timeout_ms)});
}

// A record's fields by name; what is missing or of another kind makes all of it unreadable.
class Reader {
 public:
  explicit Reader(const Value& value) : record_(value.get<Value::Record>()), good_(record_ != nullptr) {}

  bool good() const { return good_; }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  std::string text(std::string_view name) { return content<std::string>(name); }
  uint64_t number(std::string_view name) { return content<uint64_t>(name); }
  bool flag(std::string_view name) { return content<bool>(name); }
  Hash hash(std::string_view name) {
    const auto read = Hash::from_hex_text(text(name));
    if (!read) good_ = false;
    return read.value_or(Hash{});
  }
  // The index of the name's text in a list of names.
  template <size_t N>
  size_t choice(std::string_view name, const char* const (&names)[N]) {
    const std::string chosen = text(name);
    for (size_t i = 0; i < N; ++i) {
      if (chosen == names[i]) return i;
    }
    good_ = false;
    return 0;
  }
  std::vector<std::string> texts(std::string_view name) {
    std::vector<std::string> all;
    for (const Value& each : content<Value::List>(name).items) {
      const auto* one = each.get<std::string>();
      if (one == nullptr) good_ = false;
      if (one != nullptr) all.push_back(*one);
    }
    return all;
  }
  ChildSpec spec() {
    ChildSpec spec;
    spec.id = text("child");
    static constexpr const char* kRestarts[] = {"permanent", "transient", "temporary"};
    spec.restart = static_cast<Restart>(choice("restart", kRestarts));
    spec.is_supervisor = flag("supervisor");
    if (has("shutdown")) {
      spec.shutdown = Shutdown{static_cast<Shutdown::Kind>(choice("shutdown", kShutdownNames)), number("shutdown-ms")};
    }
    return spec;
  }

 private:
  const Value* find(std::string_view name) const {
    if (record_ == nullptr) return nullptr;
    for (const auto& field : record_->fields) {
      if (field.name == name) return &field.value;
    }
    return nullptr;
  }
  template <typename T>
  T content(std::string_view name) {
    const Value* value = find(name);
    const T* read = value == nullptr ? nullptr : value->get<T>();
    if (read == nullptr) good_ = false;
    return read == nullptr ? T{} : *read;
  }

  const Value::Record* record_;
  bool good_;
};

std::optional<Input> read_asked(Reader& reader) {
  const std::string what = reader.text("what");
  const auto call = [&] { return reader.number("call"); };
  if (what == "start") return Begin{reader.texts("supervisors")};
  if (what == "stop") return Stop{reader.text("why")};
  if (what == "time_passed") return TimePassed{};
  if (what == "start_child") return StartChild{call(), reader.spec()};
  if (what == "start_child_of_pattern") {
    const uint64_t size = reader.number("state-bytes");  // too much is too much: what is refused needs no memory
    return StartFromPattern{call(), Bytes(std::min<uint64_t>(size, kStartArgumentsMax + 1))};
  }
  if (what == "terminate_child") return TerminateChild{call(), reader.text("child")};
  if (what == "restart_child") return RestartChild{call(), reader.text("child")};
  if (what == "delete_child") return DeleteChild{call(), reader.text("child")};
  return std::nullopt;
}

std::optional<Input> read_by_type(std::string_view type, Reader& reader) {
  if (type == kAsked) return read_asked(reader);
  if (type == kChildStarted) return ChildStarted{reader.number("number"), reader.hash("life")};
  if (type == kChildStartFailed) return ChildStartFailed{reader.number("number"), reader.text("why")};
  const auto kind = kExitKinds[reader.choice("exit", kExitNames)];
  return ChildExited{reader.number("number"), reader.hash("life"),
                     Exit{kind, reader.text("reason"), reader.hash("head")}};
}

}  // namespace

void Chance::fill(std::span<uint8_t> out) {
  for (size_t i = 0; i < out.size(); ++i) out[i] = static_cast<uint8_t>(value_ >> (8 * (i % 8)));
}

Result<void> apply(Supervision& rules, Chance& chance, const Input& input, const Moment& moment) {
  chance.set(moment.chance);
  const uint64_t now_ns = moment.at_ns;
  return std::visit(
      Overloaded{
          [&](const Begin&) { return rules.start(now_ns); },
          [&](const Stop& stop) -> Result<void> {
            rules.stop(stop.why, now_ns);
            return Ok{};
          },
          [&](const TimePassed&) -> Result<void> {
            rules.time_passed(now_ns);
            return Ok{};
          },
          [&](const StartChild& start) -> Result<void> {
            rules.start_child(start.call, start.spec, now_ns);
            return Ok{};
          },
          [&](const StartFromPattern& start) -> Result<void> {
            rules.start_child(start.call, start.extra, now_ns);
            return Ok{};
          },
          [&](const TerminateChild& terminate) -> Result<void> {
            // Only in a simple_one_for_one supervisor a life is what calls a child.
            const auto life = rules.is_simple() ? Hash::from_hex_text(terminate.child) : std::nullopt;
            if (life) {
              rules.terminate_child(terminate.call, *life, now_ns);
            } else {
              rules.terminate_child(terminate.call, terminate.child, now_ns);
            }
            return Ok{};
          },
          [&](const RestartChild& restart) -> Result<void> {
            rules.restart_child(restart.call, restart.child, now_ns);
            return Ok{};
          },
          [&](const DeleteChild& remove) -> Result<void> {
            rules.delete_child(remove.call, remove.child, now_ns);
            return Ok{};
          },
          [&](const ChildStarted& started) { return rules.child_started(started.child, started.life, now_ns); },
          [&](const ChildStartFailed& failed) { return rules.child_start_failed(failed.child, failed.why, now_ns); },
          [&](const ChildExited& exited) { return rules.child_exited(exited.child, exited.life, exited.exit, now_ns); },
      },
      input);
}

std::string_view fact_type(const Input& input) {
  if (std::holds_alternative<ChildStarted>(input)) return kChildStarted;
  if (std::holds_alternative<ChildStartFailed>(input)) return kChildStartFailed;
  if (std::holds_alternative<ChildExited>(input)) return kChildExited;
  return kAsked;
}

Value to_value(const Input& input, const Moment& moment) {
  Fields fields;
  const auto asked = [&](const char* what) { fields.push_back({"what", Value::string(what)}); };
  const auto called = [&](const char* what, CallId call) {
    asked(what);
    fields.push_back({"call", Value::u64(call)});
  };
  const auto child = [&](const std::string& id) { fields.push_back({"child", Value::string(id)}); };
  std::visit(Overloaded{
                 [&](const Begin& begin) {
                   asked("start");
                   std::vector<Value> ids;
                   for (const auto& id : begin.supervisors) ids.push_back(Value::string(id));
                   fields.push_back({"supervisors", Value::list(std::move(ids))});
                 },
                 [&](const Stop& stop) {
                   asked("stop");
                   fields.push_back({"why", Value::string(stop.why)});
                 },
                 [&](const TimePassed&) { asked("time_passed"); },
                 [&](const StartChild& start) {
                   called("start_child", start.call);
                   put_spec(start.spec, fields);
                 },
                 [&](const StartFromPattern& start) {
                   called("start_child_of_pattern", start.call);
                   fields.push_back({"state-bytes", Value::u64(start.extra.size())});
                 },
                 [&](const TerminateChild& terminate) {
                   called("terminate_child", terminate.call);
                   child(terminate.child);
                 },
                 [&](const RestartChild& restart) {
                   called("restart_child", restart.call);
                   child(restart.child);
                 },
                 [&](const DeleteChild& remove) {
                   called("delete_child", remove.call);
                   child(remove.child);
                 },
                 [&](const ChildStarted& started) {
                   fields.push_back({"number", Value::u64(started.child)});
                   fields.push_back({"life", Value::string(started.life.hex())});
                 },
                 [&](const ChildStartFailed& failed) {
                   fields.push_back({"number", Value::u64(failed.child)});
                   fields.push_back({"why", Value::string(failed.why)});
                 },
                 [&](const ChildExited& exited) {
                   fields.push_back({"number", Value::u64(exited.child)});
                   fields.push_back({"life", Value::string(exited.life.hex())});
                   fields.push_back({"head", Value::string(exited.exit.head.hex())});
                   fields.push_back({"exit", Value::string(kExitNames[static_cast<size_t>(exited.exit.kind)])});
                   fields.push_back({"reason", Value::string(exited.exit.text)});
                 },
             },
             input);
  fields.push_back({"at-ns", Value::u64(moment.at_ns)});
  if (moment.chance != 0) fields.push_back({"chance", Value::u64(moment.chance)});
  return Value::record(std::move(fields));
}

std::string_view fact_type(What what) {
  switch (what) {
    case What::kStartChild: return "supervisor/start-child";
    case What::kStopChild: return "supervisor/stop-child";
    case What::kKillChild: return "supervisor/kill-child";
    case What::kStarted: return "supervisor/started";
    case What::kRestart: return "supervisor/restart";
    case What::kLeave: return "supervisor/leave";
    case What::kDrop: return "supervisor/drop";
    case What::kGiveUp: return "supervisor/give-up";
    case What::kEnd: return "supervisor/end";
    case What::kSetTimer:
    case What::kReply: break;
  }
  return {};
}

Value to_value(const Output& output) {
  Fields fields;
  if (output.child != 0) {
    fields.push_back({"child", Value::string(output.id)});
    fields.push_back({"number", Value::u64(output.child)});
  }
  if (output.life) fields.push_back({"life", Value::string(output.life->hex())});
  if (output.previous_head) fields.push_back({"previous-head", Value::string(output.previous_head->hex())});
  if (output.what == What::kRestart || output.what == What::kGiveUp) {
    fields.push_back({"strategy", Value::string(strategy_name(output.strategy))});
    fields.push_back({"restarts", Value::u32(output.restarts)});
    fields.push_back({"intensity", Value::u32(output.intensity)});
    fields.push_back({"delay-ns", Value::u64(output.delay_ns)});
  }
  if (output.what == What::kStopChild) fields.push_back({"deadline-ns", Value::u64(output.deadline_ns)});
  fields.push_back({"why", Value::string(output.why)});
  fields.push_back({"at-ns", Value::u64(output.at_ns)});
  return Value::record(std::move(fields));
}

Result<std::optional<ReadInput>> read_input(std::string_view type, const Value& value) {
  const bool is_input = type == kAsked || type == kChildStarted || type == kChildStartFailed || type == kChildExited;
  if (!is_input) return std::optional<ReadInput>();
  Reader reader(value);
  auto input = read_by_type(type, reader);
  Moment moment{reader.number("at-ns"), 0};
  if (reader.has("chance")) moment.chance = reader.number("chance");
  if (!input || !reader.good()) {
    return Error{
        ErrorCode::kCorrupt,
        str_cat("a fact ", type, " that no supervisor of this version writes: ", schema::to_display(value, 200))};
  }
  return std::optional<ReadInput>({std::move(*input), moment});
}

}  // namespace theater::supervise
