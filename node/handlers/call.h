// What implementations read from a call, and how they answer it: the arguments as C++ values, which the function's type
// promises, and answers as the function's result. The references live as long as the call.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "node/handlers/handlers.h"

namespace theater::node {

inline const std::string& text_arg(const wasm::HostCall& call, size_t i) { return *call.args[i].get<std::string>(); }
inline uint64_t u64_arg(const wasm::HostCall& call, size_t i) { return *call.args[i].get<uint64_t>(); }
inline const Bytes& bytes_arg(const wasm::HostCall& call, size_t i) { return *call.args[i].get<Bytes>(); }
std::optional<uint64_t> optional_u64(const schema::Value& value);
std::optional<Bytes> optional_bytes(const schema::Value& value);

schema::Value option_of(std::optional<Bytes> bytes);
schema::Value list_of(const std::vector<uint64_t>& numbers);

wasm::HostStatus answer_with(wasm::HostCall& call, schema::Value value);
wasm::HostStatus answer_with(wasm::HostCall& call, const Result<void>& result);  // as result<_, string>
wasm::HostStatus refuse(wasm::HostCall& call, const Error& why);                 // as the err of a result<…, string>
schema::Value err(const Error& why);

// What take_answer() says, as a result<option<list<u8>>, string>.
wasm::HostStatus give_answer(Services& services, wasm::HostCall& call);

}  // namespace theater::node
