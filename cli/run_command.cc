// theater run: node and auditor in one process, for one actor.
#include <memory>

#include "cli/commands.h"
#include "cli/contexts.h"
#include "cli/guest_log.h"
#include "cli/house.h"
#include "cli/manifest_file.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "cli/store_access.h"
#include "schema/display.h"

namespace theater::cli {
namespace {

constexpr uint64_t kGraceMs = 30'000;
constexpr uint64_t kGraceAfterSignalMs = 1'000;            // whoever pressed ctrl-C waits for it
constexpr uint64_t kDurableMs = 30'000;                    // after a signal too: nothing is lost
constexpr uint64_t kRequestTimeoutMs = 24ull * 3'600'000;  // the manifest's call deadline is the one that counts

struct Options {
  std::string manifest;
  std::vector<std::string> requests;
  std::optional<std::string> key;
  StoreOptions store;
  bool raw = false;
  bool quiet = false;
  bool verbose = false;
};

// How it ended, so far: the first thing that went wrong.
struct Outcome {
  ExitCode code = ExitCode::kDone;
  void worsen(ExitCode other) {
    if (code == ExitCode::kDone) code = other;
  }
};

Result<SigningKey> node_identity(const Options& options) {
  TRY_ASSIGN(const auto place, find_node(std::nullopt, std::nullopt, options.key));
  if (!place.key_file) return SigningKey::generate();
  const auto keys = bus::SecretKeys::load(*place.key_file);
  if (!keys.ok()) return Error{keys.error().code, str_cat(place.key_from, ": ", keys.error().message)};
  return SigningKey::from_seed(keys->identity().seed());
}

// A package alone isn't enough to run; what it needs goes to stdout, ready to be kept.
Result<ExitCode> explain_package(const std::string& path) {
  TRY_ASSIGN(const auto package, read_argument("@" + path));
  TRY_ASSIGN(const auto engine, wasm::make_wasmtime_engine({}));
  const auto module = engine->compile(package);
  if (!module.ok()) return Error{module.error().code, str_cat(path, ": ", module.error().message)};
  print_error(str_cat(path,
                      " is a package; an actor needs a manifest that says what it may do. This one would do: keep it "
                      "beside the package as manifest.toml, then: theater run manifest.toml"));
  print_raw(as_bytes(manifest_for(path, **module)));
  return ExitCode::kUsage;
}

// The run of one actor, on the main thread.
class ActorRun {
 public:
  ActorRun(const Options& options, StopSignals& signals, House& house, GuestLog* log)
      : options_(options), signals_(signals), house_(house), log_(log) {}

  // Waits for a callback, and says so when the store is why it takes long.
  template <typename T, typename Start>
  std::optional<Result<T>> wait_for(Start&& start) {
    return await<T>(signals_, std::forward<Start>(start), [this] {
      const auto trouble = house_.trouble();
      if (trouble != last_trouble_ && !trouble.empty()) warn(str_cat("the actor waits for its auditor: ", trouble));
      last_trouble_ = trouble;
    });
  }

  // Spawns. False if a signal came first.
  Result<bool> spawn(ManifestFile manifest) {
    const auto manifest_path = manifest.path, package_path = manifest.package_path;
    node::SpawnRequest request;
    static_cast<node::Bundle&>(request) = std::move(manifest.bundle);
    request.requested_by = schema::Operator{PublicKey{}, "spawn"};
    if (log_ != nullptr) request.subscribers.push_back(log_->subscriber());
    auto spawned = wait_for<node::ActorInfo>(
        [&](node::Callback<node::ActorInfo> done) { house_.runtime().spawn(std::move(request), std::move(done)); });
    if (!spawned) return false;
    if (!spawned->ok()) return about_files(spawned->error(), manifest_path, package_path);
    actor_ = (*spawned)->id;
    return true;
  }

  // Delivers the requests in order and prints an answer for each.
  void deliver_requests(const std::vector<Bytes>& requests) {
    for (size_t i = 0; i < requests.size(); ++i) {
      auto answer = wait_for<std::optional<Bytes>>([&](node::Callback<std::optional<Bytes>> done) {
        house_.runtime().request(actor_, requests[i], schema::Operator{PublicKey{}, str_cat(i + 1)}, kRequestTimeoutMs,
                                 /*durable=*/true, std::move(done));
      });
      if (!answer) return;  // a signal
      if (log_ != nullptr) log_->flush();
      print_answer(i, *answer);
      if (!answer->ok()) {
        outcome_.worsen(exit_code_of(answer->error().code));
        if (has_ended()) return;
      }
    }
  }

  // Ends the actor, unless it has ended by itself.
  void stop_actor() {
    auto stopped = wait_for<Ok>([&](node::Callback<Ok> done) {
      house_.runtime().stop_actor(actor_, schema::Operator{PublicKey{}, "stop"}, kGraceMs, std::move(done));
    });
    if (stopped && !stopped->ok() && !has_ended()) fail(stopped->error());
  }

  // Waits until the actor has ended, and says how if it wasn't well. Nothing happens on a signal.
  void wait_for_end() {
    auto ended = wait_for<node::ActorInfo>(
        [&](node::Callback<node::ActorInfo> done) { house_.runtime().when_ended(actor_, std::move(done)); });
    if (!ended) return;
    if (!ended->ok()) return fail(ended->error());
    if ((*ended)->ended.starts_with(schema::kTypeError) || (*ended)->ended == supervise::kGaveUp) {
      fail({ErrorCode::kActorFailed, str_cat("the actor failed: ", (*ended)->ended)});
    }
  }

  void fail(const Error& error) {
    print_error(error.message);
    outcome_.worsen(exit_code_of(error.code));
  }

  const ActorId& actor() const { return actor_; }
  ExitCode exit_code() const { return signals_.received() ? exit_code_of_signal(*signals_.received()) : outcome_.code; }

 private:
  bool has_ended() {
    auto info = wait_for<node::ActorInfo>(
        [&](node::Callback<node::ActorInfo> done) { house_.runtime().show(actor_, std::move(done)); });
    return info && (!info->ok() || (*info)->state == "ended");
  }

  void print_answer(size_t index, const Result<std::optional<Bytes>>& answer) {
    if (options_.store.json) {
      JsonLine line;
      line.text("actor", actor_.hex()).number("request", index + 1);
      if (!answer.ok()) {
        line.text("error", answer.error().message);
      } else if (!*answer) {
        line.raw("response", "null");
      } else {
        line.raw("response", schema::to_json(schema::Value::bytes(**answer)));
      }
      print_line(line.str());
    } else if (!answer.ok()) {
      print_error(str_cat("request ", index + 1, ": ", answer.error().message));
    } else if (options_.raw) {
      print_raw(answer->value_or(Bytes{}));
    } else {
      print_line(escape(answer->value_or(Bytes{})));
    }
    const auto flushed = finish_stdout();
    (void)flushed;  // noticed again at the end of the program
  }

  const Options& options_;
  StopSignals& signals_;
  House& house_;
  GuestLog* const log_;  // none with --quiet
  ActorId actor_;
  std::string last_trouble_;
  Outcome outcome_;
};

Result<ExitCode> run(const Options& options) {
  if (is_package(options.manifest)) return explain_package(options.manifest);
  StopSignals signals;
  TRY_ASSIGN(auto manifest, load_manifest(options.manifest));
  std::vector<Bytes> requests;
  for (const auto& argument : options.requests) {
    TRY_ASSIGN(auto request, read_argument(argument));
    requests.push_back(std::move(request));
  }
  HouseOptions housing;
  TRY_ASSIGN(housing.store_path, find_store(options.store.store));
  TRY_ASSIGN(const SigningKey identity, node_identity(options));
  housing.identity = &identity;
  housing.log = [verbose = options.verbose](const std::string& line) {
    if (verbose) note(line);
  };
  TRY_ASSIGN(const auto house, House::start(housing));
  std::optional<GuestLog> log;
  if (!options.quiet) log.emplace("guest");

  ActorRun running(options, signals, *house, log ? &*log : nullptr);
  const auto spawned = running.spawn(std::move(manifest));
  if (!spawned.ok()) {
    running.fail(spawned.error());
  } else if (*spawned) {
    if (requests.empty()) {
      if (!options.quiet) note(str_cat("actor ", running.actor().short_hex(), " runs; ctrl-C stops it"));
    } else {
      running.deliver_requests(requests);
      if (!signals.received()) running.stop_actor();
    }
    if (!signals.received()) running.wait_for_end();  // after a signal the house stops it
  }
  if (auto stopped = house->stop(signals.received() ? kGraceAfterSignalMs : kGraceMs, kDurableMs); !stopped.ok()) {
    running.fail(stopped.error());
  }
  if (log) log->stop();
  if (!options.quiet && !running.actor().is_zero()) {
    note(str_cat("actor ", running.actor().short_hex(), "  chain kept in ", housing.store_path,
                 "; next: theater chain show ", running.actor().short_hex()));
  }
  return running.exit_code();
}

}  // namespace

void add_run_command(Command& root) {
  auto options = std::make_shared<Options>();
  Command verb = root.add("run", "Runs an actor with an auditor of its own, and keeps its chain");
  verb.argument("MANIFEST", options->manifest, "manifest.toml, or the folder that holds it");
  verb.option("--request", options->requests, "TEXT|@FILE",
              "A request to deliver; may be given often. The actor is stopped after the last answer");
  verb.flag("--raw", options->raw, "Print answers as bytes, not escaped and not one a line");
  verb.flag("--quiet", options->quiet, "Neither guest logs nor hints on stderr");
  verb.flag("--verbose", options->verbose, "Also what node and auditor say");
  verb.option("--key", options->key, "FILE", "The node's keys (THEATER_KEY; default: an identity for this run)");
  add_store_options(verb, options->store);
  verb.footer("Without --request the actor runs until it ends or ctrl-C.");
  verb.runs([options] { return run(*options); });
}

}  // namespace theater::cli
