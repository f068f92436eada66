#include "node/supervise/spec.h"

#include <unordered_set>

namespace theater::node {
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
    return invalid(str_cat("a child's id is UTF-8 of 1 to ", kChildIdMax, " bytes, not ", spec.id.size(), " bytes: \"",
                           escape(as_bytes(std::string_view(spec.id).substr(0, 64))), "\""));
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

}  // namespace theater::node
