// Expected failures are values. A function that can fail because of its input, its peer or the machine returns
// Result<T>; one that can fail only because of a bug uses CHECK (base/check.h) and stops the process.
//
// An Error's message is read by a person who can't see the code: it says what failed, where, and what to do next.
// Both types are [[nodiscard]]. Values are moved in and out; neither type allocates beyond its content.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "base/check.h"

namespace theater {

// The classes of failure that a caller may treat differently. The command line maps each to one exit code
// (cli/exit_code.h); nothing else depends on their order.
enum class ErrorCode : uint8_t {
  kInvalid,      // malformed or contradictory input
  kNotFound,     // the thing named doesn't exist
  kRefused,      // permission, policy or limit says no
  kUnavailable,  // peer or resource not there now; trying again may help
  kDeadline,     // took longer than allowed
  kCorrupt,      // bytes that fail verification
  kActorFailed,  // the guest trapped, or answered with an error
  kIo,           // the operating system said no
};

const char* error_code_name(ErrorCode code);

struct [[nodiscard]] Error {
  ErrorCode code;
  std::string message;
};

template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : content_(std::move(value)) {}      // NOLINT: implicit, so that `return value;` works
  Result(Error error) : content_(std::move(error)) {}  // NOLINT: implicit, so that `return Error{…};` works

  bool ok() const { return content_.index() == 0; }

  T& value() & { return *checked(); }
  const T& value() const& { return *const_cast<Result*>(this)->checked(); }
  T&& value() && { return std::move(*checked()); }
  T& operator*() & { return *checked(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*checked()); }
  T* operator->() { return checked(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    CHECK(!ok());
    return *std::get_if<1>(&content_);
  }
  Error&& error() && {
    CHECK(!ok());
    return std::move(*std::get_if<1>(&content_));
  }

 private:
  T* checked() {
    T* value = std::get_if<0>(&content_);
    CHECK(value != nullptr);
    return value;
  }

  std::variant<T, Error> content_;
};

struct Ok {};  // `return Ok{};` from a Result<void>

template <>
class [[nodiscard]] Result<void> {
 public:
  Result(Ok) {}                                                     // NOLINT
  Result(Error error) : failed_(true), error_(std::move(error)) {}  // NOLINT

  bool ok() const { return !failed_; }
  const Error& error() const& {
    CHECK(failed_);
    return error_;
  }
  Error&& error() && {
    CHECK(failed_);
    return std::move(error_);
  }

 private:
  bool failed_ = false;
  Error error_{ErrorCode::kInvalid, {}};
};

}  // namespace theater

// Returns the error of `expr`, a Result<…>, from the enclosing function; otherwise goes on.
#define TRY(expr)                                                 \
  do {                                                            \
    auto try_result_ = (expr);                                    \
    if (!try_result_.ok()) return std::move(try_result_).error(); \
  } while (false)

// TRY_ASSIGN(auto x, expr): declares or assigns `x` from a Result's value, or returns its error.
#define TRY_ASSIGN(target, expr) TRY_ASSIGN_(TRY_CONCAT_(try_result_, __LINE__), target, expr)
#define TRY_ASSIGN_(name, target, expr)           \
  auto name = (expr);                             \
  if (!name.ok()) return std::move(name).error(); \
  target = std::move(name).value()
#define TRY_CONCAT_(a, b) TRY_CONCAT_2_(a, b)
#define TRY_CONCAT_2_(a, b) a##b
