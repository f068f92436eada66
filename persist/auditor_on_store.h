// The auditor over any Store: what start_auditor() does after opening, for tests with the twin in memory.
#pragma once

#include "persist/auditor.h"
#include "persist/store.h"

namespace theater::persist {

Result<std::unique_ptr<Auditor>> start_auditor_on(std::shared_ptr<Store> store, AuditorOptions options);

}  // namespace theater::persist
