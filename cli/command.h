// How commands declare themselves: a tree of nouns and verbs with flags, options and arguments. The parser library
// stops in command.cc.
//
//   void add_chain_show(Command& noun) {
//     auto options = std::make_shared<Options>();
//     Command verb = noun.add("show", "Prints a chain's events, one a line");
//     verb.argument("ACTOR", options->actor, "id, prefix of an id, or name");
//     verb.flag("--json", options->json, kJsonHelp);
//     verb.runs([options] { return show(*options); });
//   }
//
// The variables behind options must outlive the parsing and the run; a shared Options struct captured by runs() does.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/exit_code.h"

namespace theater::cli {

inline constexpr const char* kJsonHelp = "One JSON object a line instead of text";

// Whether a text can be what an option takes, whatever the rest of the world looks like. What isn't is a usage error,
// from the command line as from the variable of the environment that stands for the option (none: null).
struct ArgumentCheck {
  const char* variable = nullptr;
  std::function<Result<void>(const std::string&)> check;
};

struct Program;  // the parser and what it chose

class Command {
 public:
  explicit Command(Program& program, void* parser) : program_(&program), parser_(parser) {}

  Command add(const std::string& name, const std::string& help);

  void flag(const std::string& name, bool& value, const std::string& help);
  void option(const std::string& name, std::string& value, const std::string& placeholder, const std::string& help);
  void option(const std::string& name, std::optional<std::string>& value, const std::string& placeholder,
              const std::string& help);
  void option(const std::string& name, std::optional<uint64_t>& value, const std::string& placeholder,
              const std::string& help);
  // May be given several times, each with one value.
  void option(const std::string& name, std::vector<std::string>& values, const std::string& placeholder,
              const std::string& help);
  void required_option(const std::string& name, std::string& value, const std::string& placeholder,
                       const std::string& help);
  void argument(const std::string& name, std::string& value, const std::string& help);
  void argument(const std::string& name, uint64_t& value, const std::string& help);
  void optional_argument(const std::string& name, std::optional<std::string>& value, const std::string& help);
  // Of an option or argument that this command has.
  void check(const std::string& name, ArgumentCheck what);
  // Text below the options in --help.
  void footer(const std::string& text);

  // What the command does. An error is printed and becomes the exit code of its class.
  void runs(std::function<Result<ExitCode>()> body);

 private:
  Program* program_;
  void* parser_;
};

// Parses, runs the chosen command, prints an error and returns the process's exit code. No exception leaves it.
int run_program(const std::string& name, const std::string& about, const std::function<void(Command&)>& add_commands,
                int argc, char** argv);

}  // namespace theater::cli
