#include "cli/command.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "cli/output.h"

namespace theater::cli {

struct Program {
  explicit Program(const std::string& about) : root(about) {}

  CLI::App root;
  std::function<Result<ExitCode>()> chosen;
  struct Checked {
    const CLI::App* command;
    const CLI::Option* option;
    ArgumentCheck what;
  };
  std::vector<Checked> checked;
};

namespace {

CLI::App& app(void* parser) { return *static_cast<CLI::App*>(parser); }

constexpr const char* kExitCodes =
    "Exit codes: 0 done, 1 failure, 2 usage, 3 not found, 4 verification failed, 5 replay diverged,\n"
    "6 the actor failed, 7 unreachable or timed out, 8 refused, 130 and 143 after SIGINT and SIGTERM.";

// The words of the deepest command on the line: "theater chain show".
std::string command_words(const CLI::App& root) {
  std::string words = root.get_name();
  const CLI::App* at = &root;
  while (!at->get_subcommands().empty()) {
    at = at->get_subcommands().front();
    words += ' ';
    words += at->get_name();
  }
  return words;
}

int finish(Result<ExitCode> result) {
  if (!result.ok()) {
    const auto flushed = finish_stdout();
    (void)flushed;  // the command failed already, and says why
    print_error(result.error().message);
    return static_cast<int>(exit_code_of(result.error().code));
  }
  if (auto flushed = finish_stdout(); !flushed.ok()) {
    print_error(flushed.error().message);
    return static_cast<int>(ExitCode::kFailure);
  }
  return static_cast<int>(*result);
}

}  // namespace

Command Command::add(const std::string& name, const std::string& help) {
  CLI::App* child = app(parser_).add_subcommand(name, help);
  app(parser_).require_subcommand(1);
  return Command(*program_, child);
}

void Command::flag(const std::string& name, bool& value, const std::string& help) {
  app(parser_).add_flag(name, value, help);
}

void Command::option(const std::string& name, std::string& value, const std::string& placeholder,
                     const std::string& help) {
  app(parser_).add_option(name, value, help)->type_name(placeholder)->capture_default_str();
}

void Command::option(const std::string& name, std::optional<std::string>& value, const std::string& placeholder,
                     const std::string& help) {
  app(parser_).add_option(name, value, help)->type_name(placeholder);
}

// The parser's own conversion wraps what is negative and cuts what is too large.
static std::string number_fault(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return {};
  return str_cat("a whole number from 0 to ", UINT64_MAX, " is expected, not ", text);
}

void Command::option(const std::string& name, std::optional<uint64_t>& value, const std::string& placeholder,
                     const std::string& help) {
  app(parser_).add_option(name, value, help)->check(CLI::Validator(number_fault, ""))->type_name(placeholder);
}

void Command::option(const std::string& name, std::vector<std::string>& values, const std::string& placeholder,
                     const std::string& help) {
  app(parser_).add_option(name, values, help)->type_name(placeholder)->expected(1)->take_all();
}

void Command::required_option(const std::string& name, std::string& value, const std::string& placeholder,
                              const std::string& help) {
  app(parser_).add_option(name, value, help)->type_name(placeholder)->required();
}

void Command::argument(const std::string& name, std::string& value, const std::string& help) {
  app(parser_).add_option(name, value, help)->type_name("")->required();
}

void Command::argument(const std::string& name, uint64_t& value, const std::string& help) {
  app(parser_).add_option(name, value, help)->check(CLI::Validator(number_fault, ""))->type_name("")->required();
}

void Command::optional_argument(const std::string& name, std::optional<std::string>& value, const std::string& help) {
  app(parser_).add_option(name, value, help)->type_name("");
}

void Command::check(const std::string& name, ArgumentCheck what) {
  program_->checked.push_back({&app(parser_), app(parser_).get_option(name), std::move(what)});
}

void Command::footer(const std::string& text) { app(parser_).footer(text); }

void Command::runs(std::function<Result<ExitCode>()> body) {
  app(parser_).callback([program = program_, body = std::move(body)] { program->chosen = body; });
}

// Arguments become values, names and paths in files that are UTF-8. Other bytes come from files (@FILE).
static Result<void> check_text(int argc, char** argv) {
  for (int i = 1; i < argc; ++i) {
    if (!is_utf8(as_bytes(argv[i]))) {
      return Error{ErrorCode::kInvalid, str_cat("argument ", i, " isn't UTF-8: ", escape(as_bytes(argv[i])),
                                                "; other bytes can be given as a file, where @FILE is taken")};
    }
  }
  return Ok{};
}

namespace {

Result<void> check_arguments(const Program& program) {
  for (const auto& [command, option, what] : program.checked) {
    if (!command->parsed()) continue;
    const char* variable =
        what.variable == nullptr ? nullptr : std::getenv(what.variable);  // NOLINT(concurrency-mt-unsafe)
    if (option->count() > 0) {
      for (const auto& text : option->results()) {
        const auto checked = what.check(text);
        if (!checked.ok())
          return Error{ErrorCode::kInvalid, str_cat(option->get_name(), ": ", checked.error().message)};
      }
    } else if (variable != nullptr && *variable != '\0') {
      const auto checked = what.check(variable);
      if (!checked.ok()) return Error{ErrorCode::kInvalid, str_cat(what.variable, ": ", checked.error().message)};
    }
  }
  return Ok{};
}

}  // namespace

static int usage_error(const CLI::App& root, std::string_view message) {
  print_error(message);
  note(str_cat("see: ", command_words(root), " --help"));
  return static_cast<int>(ExitCode::kUsage);
}

int run_program(const std::string& name, const std::string& about, const std::function<void(Command&)>& add_commands,
                int argc, char** argv) {
  if (const auto text = check_text(argc, argv); !text.ok()) {
    print_error(text.error().message);
    return static_cast<int>(ExitCode::kUsage);
  }
  Program program(about);
  program.root.name(name);
  program.root.footer(kExitCodes);
  Command root(program, &program.root);
  add_commands(root);
  try {
    program.root.parse(argc, argv);
  } catch (const CLI::Success& help) {
    std::ostringstream text;
    program.root.exit(help, text, text);
    print_raw(as_bytes(text.str()));
    return finish(ExitCode::kDone);
  } catch (const CLI::ParseError& error) {
    return usage_error(program.root, error.what());
  }
  if (const auto checked = check_arguments(program); !checked.ok()) {
    return usage_error(program.root, checked.error().message);
  }
  CHECK(program.chosen != nullptr, "a command without a body");
  return finish(program.chosen());
}

}  // namespace theater::cli
