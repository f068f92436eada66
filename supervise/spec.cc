#include "supervise/spec.h"

#include <unordered_set>

namespace theater::supervise {
namespace {

Error invalid(std::string message) { return Error{ErrorCode::kInvalid, std::move(message)}; }

Result<void> check_ms(std::string_view key, uint64_t value_ms, uint64_t least_ms) {
  if (value_ms >= least_ms && value_ms <= kSuperviseMsMax) return Ok{};
  return invalid(str_cat(key, " is ", value_ms, " ms: give ", least_ms, " to ", kSuperviseMsMax, " ms"));
}

Result<void> check_backoff(const Backoff& backoff) {
  TRY(check_ms("backoff.initial", backoff.initial_ms, 1));
  TRY(check_ms("backoff.max", backoff.max_ms, 1));
  if (backoff.max_ms < backoff.initial_ms) {
    return invalid(
        str_cat("backoff.max (", backoff.max_ms, " ms) is below backoff.initial (", backoff.initial_ms, " ms)"));
  }
  if (backoff.jitter_percent > 100) {
    return invalid(str_cat("backoff.jitter is ", backoff.jitter_percent, " percent: give 0 to 100"));
  }
  return Ok{};
}

}  // namespace

const char* strategy_name(Strategy strategy) {
  switch (strategy) {
    case Strategy::one_for_one: return "one_for_one";
    case Strategy::one_for_all: return "one_for_all";
    case Strategy::rest_for_one: return "rest_for_one";
    case Strategy::simple_one_for_one: return "simple_one_for_one";
  }
  return "?";
}

const char* restart_name(Restart restart) {
  switch (restart) {
    case Restart::permanent: return "permanent";
    case Restart::transient: return "transient";
    case Restart::temporary: return "temporary";
  }
  return "?";
}

Result<void> check(const ChildSpec& spec) {
  if (spec.id.empty() || spec.id.size() > kChildIdMax || !is_utf8(as_bytes(spec.id))) {
    return invalid(str_cat("a child's id is UTF-8 of 1 to ", kChildIdMax, " bytes, not ", spec.id.size(), " bytes"));
  }
  if (spec.start.size() > kStartArgumentsMax) {
    return Error{ErrorCode::kRefused, str_cat("child \"", escape(as_bytes(spec.id)), "\": start has ",
                                              spec.start.size(), " bytes, the limit is ", kStartArgumentsMax)};
  }
  if (spec.shutdown && spec.shutdown->kind == Shutdown::Kind::timeout) {
    TRY(check_ms(str_cat("child \"", escape(as_bytes(spec.id)), "\": shutdown"), spec.shutdown->timeout_ms, 0));
  }
  return Ok{};
}

Result<void> check(const SupervisorSpec& spec) {
  if (spec.intensity > kIntensityMax) {
    return invalid(str_cat("intensity is ", spec.intensity, ": give 0 to ", kIntensityMax));
  }
  TRY(check_ms("period", spec.period_ms, 1));
  if (spec.backoff) TRY(check_backoff(*spec.backoff));
  if (spec.max_children > kSupervisedChildrenMax) {
    return invalid(str_cat("max_children is ", spec.max_children, ": give 0 to ", kSupervisedChildrenMax));
  }
  const bool simple = spec.strategy == Strategy::simple_one_for_one;
  if (simple && spec.children.size() != 1) {
    return invalid(str_cat("simple_one_for_one takes exactly one child specification, not ", spec.children.size()));
  }
  if (!simple && spec.children.size() > spec.max_children) {
    return Error{ErrorCode::kRefused, str_cat("max_children is ", spec.max_children, ", and ", spec.children.size(),
                                              " children were asked for: raise it, or start fewer")};
  }
  std::unordered_set<std::string_view> ids;
  for (const ChildSpec& child : spec.children) {
    TRY(check(child));
    if (!ids.insert(child.id).second) {
      return invalid(str_cat("duplicate_child_name: \"", escape(as_bytes(child.id)), "\" stands for two children"));
    }
  }
  return Ok{};
}

namespace {

std::optional<Shutdown> read_shutdown(const Config::Table& child) {
  const auto text = child.optional_text("shutdown");
  if (!text) return std::nullopt;
  if (*text == "brutal_kill") return Shutdown{Shutdown::Kind::brutal_kill, 0};
  if (*text == "infinity") return Shutdown{Shutdown::Kind::infinity, 0};
  const auto time_ms = parse_duration_ms(*text);
  if (!time_ms) child.fail("shutdown", "'shutdown' is a duration such as \"5 s\", \"brutal_kill\" or \"infinity\"");
  return Shutdown{Shutdown::Kind::timeout, time_ms.value_or(0)};
}

template <typename Enum>
Enum read_choice(const Config::Table& table, std::string_view key, const char* (*name_of)(Enum),
                 std::initializer_list<Enum> all, Enum otherwise) {
  const auto text = table.optional_text(key);
  if (!text) return otherwise;
  std::string names;
  for (const Enum each : all) {
    if (*text == name_of(each)) return each;
    names += str_cat(names.empty() ? "" : ", ", name_of(each));
  }
  table.fail(key, str_cat("'", key, "' is one of ", names, "; here it is \"", escape(as_bytes(*text)), "\""));
  return otherwise;
}

}  // namespace

std::optional<SupervisorSpec> read_spec(const Config::Table& root) {
  std::vector<ChildSpec> children;
  for (const auto& child : root.tables("child")) {
    ChildSpec each;
    each.id = child.required_text("id");
    each.start = to_bytes(child.required_text("manifest"));
    each.restart = read_choice(child, "restart", restart_name,
                               {Restart::permanent, Restart::transient, Restart::temporary}, each.restart);
    each.shutdown = read_shutdown(child);
    children.push_back(std::move(each));
  }
  const auto table = root.table("supervisor");
  if (!table && !children.empty()) {
    root.fail("child", "[[child]] stands in a supervisor's manifest: add a table [supervisor]");
  }
  if (!table) return std::nullopt;
  SupervisorSpec spec;
  spec.strategy =
      read_choice(*table, "strategy", strategy_name,
                  {Strategy::one_for_one, Strategy::one_for_all, Strategy::rest_for_one, Strategy::simple_one_for_one},
                  spec.strategy);
  spec.intensity = static_cast<uint32_t>(table->number("intensity", spec.intensity, 0, kIntensityMax));
  spec.period_ms = table->duration_ms("period", spec.period_ms, 1, kSuperviseMsMax);
  spec.max_children = table->number("max_children", spec.max_children, 0, kSupervisedChildrenMax);
  if (const auto backoff = table->table("backoff")) {
    auto& delays = spec.backoff.emplace();
    delays.initial_ms = backoff->duration_ms("initial", delays.initial_ms, 1, kSuperviseMsMax);
    delays.max_ms = backoff->duration_ms("max", delays.max_ms, 1, kSuperviseMsMax);
    delays.jitter_percent = static_cast<uint32_t>(backoff->number("jitter", delays.jitter_percent, 0, 100));
  }
  spec.children = std::move(children);
  if (auto good = check(spec); !good.ok()) table->fail("strategy", good.error().message);
  return spec;
}

}  // namespace theater::supervise
