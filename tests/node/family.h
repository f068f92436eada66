// Supervisors and their children on the fake engine: what the tests of supervision share. An auditor's link records all
// chains, children's too, and at the end of each test all of them replay.
#pragma once

#include <gmock/gmock.h>

#include "tests/node/replay_check.h"

namespace theater::node {

inline const std::string kSupervise = "theater:simple/supervisor@0.1.0/";
inline const std::string kLinking = "theater:simple/links@0.1.0/";

class FamilyTest : public testing::Test {
 protected:
  struct Child {
    std::string id;
    std::string more = "";  // of its [[child]] table
    std::string package = "worker";
    std::string manifest = "";  // more of its own
    std::vector<Child> children = {};
  };

  FamilyTest() {
    node.package("boss", {.imports = imports(),
                          .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                      {kHandleRequest, obey_boss},
                                      {callback("handle-child-error"), note},
                                      {callback("handle-child-exit"), note},
                                      {callback("handle-child-external-stop"), note},
                                      {callback("handle-child-event"), note_event}}});
    node.package("watcher", {.imports = imports(),
                             .exports = {{kInit, [](wasm::FakeCall& call) { call.result(ok_state("")); }},
                                         {kHandleRequest, obey_boss},
                                         {"theater:simple/links-client@0.1.0/handle-exit", note},
                                         {"theater:simple/links-client@0.1.0/handle-down", note}}});
    node.package("stillborn", {.imports = {},
                               .exports = {{kInit, [](wasm::FakeCall& call) { call.trap("not today"); }},
                                           {kHandleRequest, FakeNode::obey}}});
    node.package("finisher", {.imports = {kShutdownCall},
                              .exports = {{kInit,
                                           [](wasm::FakeCall& call) {
                                             call.host(kShutdownCall, {schema::Value::some(schema::Value::bytes(
                                                                          to_bytes("done: " + state_of(call))))});
                                             call.result(ok_state());
                                           }},
                                          {kHandleRequest, FakeNode::obey}}});
  }
  ~FamilyTest() override {
    node.stop(10'000);
    for (const ActorId& actor : auditor.record().actors()) {
      expect_replays(node, auditor.record(), actor, replay_options[actor]);
    }
  }

  static std::vector<std::string> imports() {
    std::vector<std::string> all = {kLogCall, kSleepCall, kShutdownCall};
    for (const auto& function : wasm::host_functions()) {
      if (function.handler == "supervisor" || function.handler == "links" || function.handler == "names")
        all.push_back(function.type_name);
    }
    return all;
  }
  static std::string callback(const std::string& name) { return "theater:simple/supervisor-client@0.1.0/" + name; }

  // Callbacks append "name(params)" to the state.
  static void append(wasm::FakeCall& call, const std::string& what) {
    call.result(ok_state(str_cat(state_of(call), state_of(call).empty() ? "" : " ", what)));
  }
  static void note(wasm::FakeCall& call) {
    std::string all;
    for (const auto& each : call.args()[1].get<schema::Value::Tuple>()->items) {
      if (!all.empty()) all += ",";
      all += schema::to_display(each, 40);
    }
    append(call, "(" + all + ")");
  }
  static void note_event(wasm::FakeCall& call) {
    const auto& items = call.args()[1].get<schema::Value::Tuple>()->items;
    append(call, str_cat(*items[2].get<std::string>(), "-", *items[4].get<uint64_t>()));
  }

  static schema::Value spec(const std::string& id, const std::string& package, const std::string& restart,
                            const std::string& state, const std::string& more = "") {
    using schema::Value;
    return Value::record({{"id", Value::string(id)},
                          {"manifest", Value::string(FakeNode::manifest(id, more))},
                          {"package", Value::some(Value::bytes(to_bytes(package)))},
                          {"state", state.empty() ? Value::none() : Value::some(Value::bytes(to_bytes(state)))},
                          {"restart", Value::enumeration(restart)},
                          {"shutdown", Value::none()}});
  }

  // "FUNCTION arg arg …": calls that host function and answers with what it said.
  static void obey_boss(wasm::FakeCall& call) {
    using schema::Value;
    std::vector<std::string> words;
    std::istringstream text(message_of(call));
    for (std::string word; text >> word;) words.push_back(word);
    const auto word = [&](size_t i) { return i < words.size() ? words[i] : std::string(); };
    const std::string state = state_of(call), verb = word(0);
    const auto answer = [state](wasm::FakeCall& then) {
      then.result(ok_reply(state, schema::to_display(then.answers().back())));
    };
    if (verb == "state") return call.result(ok_reply(state, state));
    if (verb == "trap") return call.trap("the test said so");
    if (verb == "end") {
      call.host(kShutdownCall, {Value::none()});
      return call.result(ok_reply(state, "bye"));
    }
    if (verb == "sleep") {
      call.host(kSleepCall, {Value::u64(std::stoull(word(1)) * 1'000'000)});
      return call.result(ok_reply(state, "slept"));
    }
    if (verb == "register" || verb == "unregister") {
      call.host("theater:simple/names@0.1.0/" + verb, {Value::string(word(1))});
    } else if (verb == "spawn") {
      call.host(kSupervise + "spawn", {spec(word(1), word(2), word(3), word(4),
                                            word(5) == "greedy" ? "[[handler]]\ntype = \"wasi\"\n" : "")});
    } else if (verb == "spawn-and-wait") {
      const auto timeout = word(4).empty() ? Value::none() : Value::some(Value::u64(std::stoull(word(4)) * 1'000'000));
      call.host(kSupervise + "spawn-and-wait", {spec(word(1), word(2), "temporary", word(3)), timeout});
    } else if (verb == "start-child") {
      call.host(kSupervise + "start-child",
                {word(1).empty() ? Value::none() : Value::some(Value::bytes(to_bytes(word(1))))});
    } else if (verb == "resume") {
      call.host(kSupervise + "resume", {Value::string(word(1)), Value::bytes(to_bytes(word(2)))});
    } else if (verb == "list-children") {
      call.host(kSupervise + "list-children", {});
    } else if (verb == "link" || verb == "unlink" || verb == "monitor") {
      call.host(kLinking + verb, {Value::string(word(1))});
    } else if (verb == "demonitor") {
      call.host(kLinking + verb, {Value::u64(std::stoull(word(1)))});
    } else {
      call.host(kSupervise + verb, {Value::string(word(1))});
    }
    call.then(answer);
  }

  static std::string handlers() {
    return "[[handler]]\ntype = \"supervisor\"\n[[handler]]\ntype = \"links\"\n[[handler]]\ntype = \"names\"\n";
  }
  static Bundle bundle_of(const std::string& name, const std::string& package, const std::string& more,
                          const std::vector<Child>& children) {
    Bundle bundle;
    const bool supervises = package.empty() || package == "boss" || package == "watcher";
    bundle.manifest = FakeNode::manifest(name, (supervises ? handlers() : "") + more);
    bundle.package = to_bytes(package);
    for (const auto& child : children) {
      bundle.manifest +=
          str_cat("[[child]]\nid = \"", child.id, "\"\nmanifest = \"", child.id, ".toml\"\n", child.more, "\n");
      bundle.children.emplace(child.id, bundle_of(child.id, child.package, child.manifest, child.children));
    }
    return bundle;
  }
  Result<ActorInfo> try_family(const std::string& supervisor, const std::vector<Child>& children,
                               const std::string& package = "") {
    SpawnRequest request;
    static_cast<Bundle&>(request) = bundle_of("sup", package, "[supervisor]\n" + supervisor + "\n", children);
    return node::spawn(node.runtime(), std::move(request));
  }
  ActorId family(const std::string& supervisor, const std::vector<Child>& children, const std::string& package = "") {
    auto actor = try_family(supervisor, children, package);
    CHECK(actor.ok(), actor.error().message);
    return actor->id;
  }
  ActorId boss(const std::string& supervisor = "", const std::vector<Child>& children = {}) {
    return family(supervisor, children, "boss");
  }

  // The living actor of that name, but for `not_this`.
  std::optional<ActorId> life(const std::string& name, const ActorId& not_this = {}) {
    const auto all = list(node.runtime());
    for (const auto& info : *all) {
      if (info.name == name && info.state != "ended" && info.state != "starting" && info.id != not_this) return info.id;
    }
    return std::nullopt;
  }
  ActorId next_life(const std::string& name, const ActorId& not_this = {}) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (std::chrono::steady_clock::now() < until) {
      if (const auto found = life(name, not_this)) return *found;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    ADD_FAILURE() << "no new life of " << name;
    return {};
  }
  std::string ask(const ActorId& actor, const std::string& message) {
    const auto answer = request(node.runtime(), actor, message);
    if (!answer.ok()) return "failed: " + answer.error().message;
    return *answer ? std::string(as_text(**answer)) : "none";
  }
  void trap(const ActorId& actor) { ask(actor, "trap"); }
  // Waits until the actor's state holds `part`.
  std::string state_with(const ActorId& actor, const std::string& part) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    std::string state;
    do state = ask(actor, "state");
    while (state.find(part) == std::string::npos && std::chrono::steady_clock::now() < until);
    return state;
  }

  // What its supervisor's chain says: "start-child a", "restart a", …
  std::vector<std::string> decisions(const ActorId& supervisor) {
    std::vector<std::string> all;
    for (const auto& event : auditor.record().chain(supervisor)) {
      const auto decoded = schema::decode_event(event.bytes);
      const auto* fact = std::get_if<schema::Fact>(&decoded->body);
      if (fact == nullptr || !decoded->header.type.starts_with("supervisor/")) continue;
      if (decoded->header.type == "supervisor/asked") continue;
      std::string line(decoded->header.type.substr(11));
      for (const auto& field : fact->value.get<schema::Value::Record>()->fields) {
        if (field.name == "child") line += " " + *field.value.get<std::string>();
        if (field.name == "exit") line += " " + *field.value.get<std::string>();
      }
      all.push_back(line);
    }
    return all;
  }
  bool wait_for_decision(const ActorId& supervisor, const std::string& decision) {
    const auto until = std::chrono::steady_clock::now() + kLong;
    while (std::chrono::steady_clock::now() < until) {
      const auto all = decisions(supervisor);
      if (std::find(all.begin(), all.end(), decision) != all.end()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return false;
  }
  schema::Event event(const ActorId& actor, size_t index) {
    static std::vector<std::unique_ptr<Bytes>> kept;  // header.type points into the bytes
    auto chain = auditor.record().chain(actor);
    kept.push_back(std::make_unique<Bytes>(index == SIZE_MAX ? chain.back().bytes : chain.at(index).bytes));
    return *schema::decode_event(*kept.back());
  }
  schema::Event last_event(const ActorId& actor) { return event(actor, SIZE_MAX); }
  schema::Genesis genesis(const ActorId& actor) { return std::get<schema::Genesis>(event(actor, 0).body); }

  FakeNode node;
  FakeOutbox& auditor = node.auditor("auditor");
  std::map<ActorId, replay::ReplayOptions> replay_options;  // for the replay at the end of the test
};

}  // namespace theater::node
