// The table of functions, the WIT in sdk/wit and wit-bindgen's bindings say the same, and so does the world that
// wit-bindgen puts into a guest.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <regex>
#include <sstream>

#include "tests/wasm/guest_test_util.h"

namespace theater::wasm {
namespace {

using schema::Value;

Bytes test_guest(const std::string& name) {
  auto bytes = read_file(std::string(THEATER_BUILD_DIR) + "/tests/guests/" + name + ".wasm");
  CHECK(bytes.ok(), bytes.ok() ? "" : bytes.error().message);
  return std::move(*bytes);
}

// Named types are put in where they are used, as the table has them.
std::string without_named_types(std::string text) {
  const std::regex definition("(enum|variant|record) +([a-z-]+) *[{]([^}]*)[}]");
  std::vector<std::pair<std::string, std::string>> types;
  for (std::smatch found; std::regex_search(text, found, definition);) {
    std::string body = std::regex_replace(found[3].str(), std::regex(" +"), " ");
    body = std::regex_replace(body, std::regex("^ | *,? *$|%"), "");
    types.emplace_back(found[2], found[1].str() + " {" + body + "}");
    text = found.prefix().str() + found.suffix().str();
  }
  const auto put_in = [&](std::string& where) {
    for (const auto& [name, type] : types) {
      where = std::regex_replace(where, std::regex("([^a-z-])" + name + "(?![a-z-]| *:)"), "$1" + type);
    }
  };
  for (auto& [name, type] : types) put_in(type);
  put_in(text);
  return text;
}

// "theater:simple/runtime@0.1.0/log" -> "func(msg: string)", read from the WIT itself.
std::map<std::string, std::string> functions_in_wit() {
  std::ifstream file(std::string(THEATER_SOURCE_DIR) + "/sdk/wit/theater.wit");
  CHECK(file.good());
  std::string text;
  for (std::string line; std::getline(file, line);) {
    if (line.find("///") == std::string::npos) text += line + " ";
  }
  text = without_named_types(std::move(text));
  std::map<std::string, std::string> found;
  std::string interface;
  std::string statement;
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (word == "interface") {
      words >> interface;
    } else if (word == "world") {
      break;
    } else if (word != "{" && word != "}") {
      statement += (statement.empty() ? "" : " ") + word;
      if (statement.back() != ';') continue;
      statement.pop_back();
      const size_t colon = statement.find(": func");
      if (colon != std::string::npos) {
        std::string name = statement.substr(0, colon);
        if (name[0] == '%') name.erase(0, 1);
        found["theater:simple/" + interface + "@0.1.0/" + name] = statement.substr(colon + 2);
      }
      statement.clear();
    }
  }
  return found;
}

TEST(ContractTest, TheTableSaysWhatTheWitSays) {
  std::map<std::string, std::string> table;
  for (const HostFunction& function : host_functions()) {
    if (function.handler != "wasi") table[function.type_name] = function.type.wit();
  }
  for (const ExportFunction& function : export_functions()) {
    if (&function != &initialize_function()) table[function.type_name] = function.type.wit();
  }
  EXPECT_EQ(table, functions_in_wit());
}

TEST(ContractTest, ABindingsGuestIsAcceptedAndUsesTheWholeTable) {
  auto engine = make_engine();
  auto module =
      engine->compile(with_section(test_guest("reference"), "component-type:message-actor", section_file("same")));
  ASSERT_TRUE(module.ok()) << module.error().message;
  std::vector<std::string> imported;
  for (const HostFunction* function : (*module)->imports()) imported.push_back(function->type_name);
  std::vector<std::string> known;
  for (const HostFunction& function : host_functions()) {
    if (function.handler != "wasi") known.push_back(function.type_name);
  }
  std::sort(imported.begin(), imported.end());
  std::sort(known.begin(), known.end());
  EXPECT_EQ(imported, known);
  for (const ExportFunction& function : export_functions()) EXPECT_TRUE((*module)->exports(function)) << function.name;
}

TEST(ContractTest, ABindingsGuestRuns) {
  auto engine = make_engine();
  auto module = engine->compile(test_guest("reference"));
  ASSERT_TRUE(module.ok());
  ScriptedHost host;
  host.on_call = [](HostCall& call) {
    const std::string& name = call.function->name;
    if (name == "get-self") call.results = {Value::string("me")};
    if (name == "get-chain-head") call.results = {Value::some(Value::string("head"))};
    if (name == "sleep" || name == "shutdown") call.results = {Value::ok()};
    if (name == "bytes") call.results = {Value::ok(Value::bytes({1, 2, 3, 4, 5, 6, 7, 8}))};
    if (name == "u64") call.results = {Value::u64(7)};
    if (name == "send" || name == "respond-to-request" || name == "cancel-request") call.results = {Value::ok()};
    if (name == "request") call.results = {Value::ok(Value::some(Value::bytes({1})))};
    if (name == "current-request") call.results = {Value::none()};
    if (name == "list-outstanding-requests") call.results = {Value::list({})};
    if (name == "open-channel") {
      call.results = {Value::ok(Value::tuple({Value::u64(7), Value::some(Value::bytes({1}))}))};
    }
    if (name == "send-on-channel" || name == "close-channel" || name == "cancel") call.results = {Value::ok()};
    if (name == "call") call.results = {Value::ok(Value::some(Value::bytes({1})))};
    if (name == "set-interval" || name == "set-once") call.results = {Value::ok(Value::u64(8))};
    if (name == "get") call.results = {Value::ok(Value::none())};
    if (name == "list") {
      const bool timers = call.function->handler == "timer";
      call.results = {Value::list(timers ? std::vector{Value::u64(8)} : std::vector<Value>{})};
    }
    if (name == "register" || name == "unregister") call.results = {Value::ok()};
    if (name == "whereis") call.results = {Value::some(Value::string("me"))};
    return HostStatus::kDone;
  };
  auto instance = (*module)->instantiate(host, {});
  ASSERT_TRUE(instance.ok());
  ASSERT_FALSE(call(**instance, initialize_function(), {}).trap);
  const CallOutcome init =
      call(**instance, init_function(), {Value::some(Value::bytes({9})), Value::tuple({Value::string("me")})});
  ASSERT_FALSE(init.trap) << init.trap->message;
  EXPECT_EQ(init.results, std::vector<Value>{Value::ok(Value::tuple({Value::some(Value::bytes({9}))}))});
  EXPECT_EQ(host.calls, (std::vector<std::string>{"log",
                                                  "get-self",
                                                  "log",
                                                  "get-chain-head",
                                                  "log",
                                                  "sleep",
                                                  "bytes",
                                                  "u64",
                                                  "send",
                                                  "request",
                                                  "current-request",
                                                  "list-outstanding-requests",
                                                  "respond-to-request",
                                                  "cancel-request",
                                                  "register",
                                                  "whereis",
                                                  "unregister",
                                                  "open-channel",
                                                  "send-on-channel",
                                                  "close-channel",
                                                  "call",
                                                  "set-interval",
                                                  "set-once",
                                                  "cancel",
                                                  "list",
                                                  "get",
                                                  "list",
                                                  "shutdown"}));
  EXPECT_EQ(host.args.back(), std::vector<Value>{Value::some(Value::bytes({1, 2, 3, 4, 5, 6, 7, 8}))});
  const CallOutcome reply = call(**instance, handle_request_function(), request_args("hi"));
  EXPECT_EQ(reply_of(reply), "hi");
}

}  // namespace
}  // namespace theater::wasm
