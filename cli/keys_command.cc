// theater keys new|show
#include <filesystem>
#include <memory>

#include "base/file.h"
#include "bus/keys.h"
#include "cli/commands.h"
#include "cli/output.h"

namespace theater::cli {
namespace {

struct Options {
  std::string name;
  bool json = false;
};

void print_keys(const std::string& file, const bus::PublicKeys& keys, bool json) {
  if (json) {
    print_line(JsonLine()
                   .text("file", file)
                   .text("public", keys.text())
                   .text("curve", keys.curve.hex())
                   .text("identity", keys.identity.hex())
                   .str());
  } else {
    print_line(keys.text());
  }
}

Result<ExitCode> make(const Options& options) {
  const auto secret_path = options.name + ".key";
  const auto public_path = options.name + ".pub";
  if (const auto folder = std::filesystem::path(options.name).parent_path(); !folder.empty()) {
    std::error_code failed;
    std::filesystem::create_directories(folder, failed);
    if (failed)
      return Error{ErrorCode::kIo, str_cat("can't make the folder ", folder.string(), ": ", failed.message())};
  }
  const auto keys = bus::SecretKeys::generate();
  TRY(keys.save(secret_path));
  TRY(write_file(public_path, as_bytes(keys.public_keys().text() + "\n")));
  print_keys(secret_path, keys.public_keys(), options.json);
  note(str_cat("secret key in ", secret_path, " (keep it there), public key in ", public_path));
  return ExitCode::kDone;
}

Result<ExitCode> show(const Options& options) {
  TRY_ASSIGN(const auto keys, bus::SecretKeys::load(options.name));
  print_keys(options.name, keys.public_keys(), options.json);
  return ExitCode::kDone;
}

}  // namespace

void add_keys_commands(Command& root) {
  Command noun = root.add("keys", "Key pairs of nodes, auditors, operators and readers");

  auto making = std::make_shared<Options>();
  Command verb = noun.add("new", "Makes NAME.key (secret) and NAME.pub, and prints the public key");
  verb.argument("NAME", making->name, "Path without the ending");
  verb.flag("--json", making->json, kJsonHelp);
  verb.runs([making] { return make(*making); });

  auto showing = std::make_shared<Options>();
  Command printing = noun.add("show", "Prints the public key of a secret key file");
  printing.argument("FILE", showing->name, "The secret key file");
  printing.flag("--json", showing->json, kJsonHelp);
  printing.runs([showing] { return show(*showing); });
}

}  // namespace theater::cli
