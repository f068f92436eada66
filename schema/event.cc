#include "schema/event.h"

namespace theater::schema {

const char* body_kind_name(BodyKind kind) {
  switch (kind) {
    case BodyKind::kGenesis: return "genesis";
    case BodyKind::kWasmCall: return "wasm-call";
    case BodyKind::kWasmResult: return "wasm-result";
    case BodyKind::kHostCall: return "host-call";
    case BodyKind::kHostReturn: return "host-return";
    case BodyKind::kError: return "error";
    case BodyKind::kShutdown: return "shutdown";
    case BodyKind::kResumed: return "resumed";
    case BodyKind::kFact: return "fact";
  }
  return "unknown";
}

const char* audit_mode_name(AuditMode mode) {
  switch (mode) {
    case AuditMode::kStrict: return "strict";
    case AuditMode::kQuorum: return "quorum";
    case AuditMode::kBestEffort: return "best-effort";
  }
  return "unknown";
}

const char* error_kind_name(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kTrap: return "trap";
    case ErrorKind::kKilled: return "killed";
    case ErrorKind::kDeadline: return "deadline";
    case ErrorKind::kLimit: return "limit";
    case ErrorKind::kHostFailure: return "host failure";
    case ErrorKind::kGuestError: return "guest error";
  }
  return "unknown";
}

}  // namespace theater::schema
