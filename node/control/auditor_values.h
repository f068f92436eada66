// Auditors as the control endpoint carries them: what `subscription.add` is given, and how an auditor and its link are
// told. docs/formats/control.md has the fields. Pure functions.
#pragma once

#include "base/result.h"
#include "node/runtime/runtime.h"
#include "schema/value.h"

namespace theater::node {

// All but `actors`, which may need a look at who lives. kInvalid with words.
Result<Auditor> read_auditor(const schema::Value& args);
schema::Value record_of(const AuditorInfo& info);

}  // namespace theater::node
