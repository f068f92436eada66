#include "cli/exit_code.h"

#include <csignal>

namespace theater::cli {

ExitCode exit_code_of(ErrorCode code) {
  switch (code) {
    case ErrorCode::kInvalid: return ExitCode::kFailure;
    case ErrorCode::kNotFound: return ExitCode::kNotFound;
    case ErrorCode::kRefused: return ExitCode::kRefused;
    case ErrorCode::kUnavailable: return ExitCode::kUnreachable;
    case ErrorCode::kDeadline: return ExitCode::kUnreachable;
    case ErrorCode::kCorrupt: return ExitCode::kVerificationFailed;
    case ErrorCode::kActorFailed: return ExitCode::kActorFailed;
    case ErrorCode::kIo: return ExitCode::kFailure;
  }
  return ExitCode::kFailure;
}

ExitCode exit_code_of_signal(int signal) { return signal == SIGTERM ? ExitCode::kTerminated : ExitCode::kInterrupted; }

}  // namespace theater::cli
