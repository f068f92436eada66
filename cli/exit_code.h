// What the process tells its caller. Scripts and CI jobs branch on these numbers, so they never change their meaning:
// docs/configuration.md says which is used when; docs/quickstart.md and `theater --help` list them.
#pragma once

#include "base/result.h"

namespace theater::cli {

enum class ExitCode : int {
  kDone = 0,
  kFailure = 1,
  kUsage = 2,  // the command line itself is wrong, whatever else is true
  kNotFound = 3,
  kVerificationFailed = 4,  // stored bytes don't say what they should
  kDiverged = 5,            // replay acted differently
  kActorFailed = 6,         // the guest trapped, or answered with an error
  kUnreachable = 7,         // nobody answered, or not in time
  kRefused = 8,             // permission, policy or limit, or another process has it
  kInterrupted = 130,       // after SIGINT
  kTerminated = 143,        // after SIGTERM
};

ExitCode exit_code_of(ErrorCode code);
ExitCode exit_code_of_signal(int signal);

}  // namespace theater::cli
