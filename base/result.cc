#include "base/result.h"

namespace theater {

const char* error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kNotFound: return "not found";
    case ErrorCode::kRefused: return "refused";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kDeadline: return "deadline exceeded";
    case ErrorCode::kCorrupt: return "corrupt";
    case ErrorCode::kActorFailed: return "actor failed";
    case ErrorCode::kIo: return "i/o";
  }
  CHECK(false, "unknown error code");
}

}  // namespace theater
