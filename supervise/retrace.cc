#include "supervise/retrace.h"

#include <algorithm>

namespace theater::supervise {

using schema::Value;

Result<std::optional<std::string>> Retrace::take(std::string_view type, const Value& value) {
  if (!type.starts_with(kFactPrefix)) return std::optional<std::string>();
  TRY_ASSIGN(const auto input, read_input(type, value));
  if (input) return feed(*input);
  return compare(type, value);
}

Result<std::optional<std::string>> Retrace::feed(const ReadInput& read) {
  if (!rules_) {
    if (const auto* begin = std::get_if<Begin>(&read.input)) {
      for (auto& child : spec_.children) {
        child.is_supervisor =
            std::find(begin->supervisors.begin(), begin->supervisors.end(), child.id) != begin->supervisors.end();
      }
    }
    TRY_ASSIGN(rules_, Supervision::make(spec_, *chance_));
  }
  const auto fed = apply(*rules_, *chance_, read.input, read.moment);
  if (!fed.ok()) return std::optional(str_cat("the rules know no such thing: ", fed.error().message));
  collect();
  return std::optional<std::string>();
}

std::optional<std::string> Retrace::compare(std::string_view type, const Value& value) {
  if (!rules_) return "a decision before the supervisor was started";
  if (expected_.empty()) return "the rules decide nothing here";
  const Output next = std::move(expected_.front());
  expected_.pop_front();
  ++decisions_;
  const auto next_type = fact_type(next.what);
  const auto next_value = to_value(next);
  if (type == next_type && value == next_value) return std::nullopt;
  return str_cat("the rules say ", next_type, " ", schema::to_display(next_value, 300));
}

void Retrace::collect() {
  for (auto& output : rules_->take_outputs()) {
    if (!fact_type(output.what).empty()) expected_.push_back(std::move(output));
  }
}

}  // namespace theater::supervise
