// What a command line may ask of a node: the verbs of docs/formats/control.md, over the runtime.
//
// handle() runs on the bus thread: it checks the role and hands the work to the runtime; what may take long (hashing a
// package, listing all actors) goes to the command thread. Answers come from the runtime's threads. Readers may look;
// operators and the local Unix socket may do everything.
//
// A request id that was used before by the same key is not run again: it gets the same answer, or waits for it (see
// node/control/answers.h for how long it is remembered).
#pragma once

#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "bus/control.h"
#include "node/runtime/runtime.h"

namespace theater::node {

// Every verb and the least role that may use it.
std::vector<std::pair<std::string_view, bus::Role>> control_verbs();

// `runtime` must outlive the handler and every request in flight; stop the bus first.
std::unique_ptr<bus::ControlHandler> make_control_handler(Runtime& runtime);

}  // namespace theater::node
