// CONTRACT. Events as people and programs read them: one line for a terminal, one JSON object for --json.
#pragma once

#include <string>

#include "schema/codec.h"

namespace theater::schema {

// "12  theater:simple/runtime@0.1.0/log  ("hello")": sequence, type, and the body in WAVE notation, cut at `width`
// (0: whole). Control characters never reach the terminal.
std::string to_line(const Event& event, size_t width = 0);

// {"sequence":12,"type":…,"kind":"host-call","time":"2026-11-23T15:04:05.123456789Z","hash":…,"parent":…,"args":[…],…}
// Values: numbers, booleans and strings as JSON's; u64/s64 beyond 2^53 as strings; bytes as {"bytes":"<base64>"} with
// "text" beside it where they are UTF-8; references as {"blob":hash,"length":n}.
std::string to_json(const Event& event, const Hash& hash);
std::string to_json(const Value& value);
std::string json_string(std::string_view text);  // quoted and escaped; invalid UTF-8 as U+FFFD

}  // namespace theater::schema
