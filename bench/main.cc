// theater-bench: what Theater costs, measured on the machine at hand. bench/README.md says what each figure means.
#include <signal.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "bench/auditor_process.h"
#include "bench/benchmarks.h"
#include "bench/lab.h"

namespace theater::bench {
namespace {

constexpr const char* kUsage =
    "theater-bench [--json] [--list] [--filter REGEX] [--runs N] [--dir FOLDER] [--keep]\n"
    "\n"
    "  --json          one object a line instead of a table\n"
    "  --list          says what there is and measures nothing\n"
    "  --filter REGEX  only benchmarks in whose name it is found\n"
    "  --runs N        measured runs of each instead of its own number\n"
    "  --dir FOLDER    where stores are written, on a disk (default: bench-data); emptied afterwards\n"
    "  --keep          leaves the stores there\n";

struct Options {
  bool json = false, list = false, keep = false, help = false;
  std::optional<std::regex> filter;
  std::optional<size_t> runs;
  std::string folder = "bench-data";
};

Error usage(const std::string& message) { return {ErrorCode::kInvalid, str_cat(message, "\n\n", kUsage)}; }

Result<Options> parse(const std::vector<std::string>& args) {
  Options options;
  for (size_t i = 0; i < args.size(); ++i) {
    const std::string& arg = args[i];
    if (arg == "--json")
      options.json = true;
    else if (arg == "--list")
      options.list = true;
    else if (arg == "--keep")
      options.keep = true;
    else if (arg == "--help" || arg == "-h")
      options.help = true;
    else if (arg != "--filter" && arg != "--runs" && arg != "--dir")
      return usage(str_cat("there is no option ", arg));
    else if (i + 1 == args.size())
      return usage(str_cat(arg, " needs a value"));
    else if (arg == "--dir")
      options.folder = args[++i];
    else if (arg == "--runs") {
      const std::string& text = args[++i];
      size_t runs = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), runs);
      if (error != std::errc{} || *end != '\0' || runs == 0) return usage("--runs needs a number of at least 1");
      options.runs = runs;
    } else {
      try {
        options.filter = std::regex(args[++i]);
      } catch (const std::regex_error&) {
        return usage(str_cat("\"", args[i], "\" is no regular expression"));
      }
    }
  }
  return options;
}

std::vector<Benchmark> all_benchmarks() {
  std::vector<Benchmark> all;
  for (auto* family : {actor_benchmarks, talk_benchmarks, supervise_benchmarks, rest_benchmarks, end_to_end_benchmarks,
                       record_benchmarks, memory_benchmarks}) {
    for (Benchmark& benchmark : family()) all.push_back(std::move(benchmark));
  }
  return all;
}

int measure(const Options& options, const std::vector<Benchmark>& chosen) {
  auto lab = Lab::open(options.folder);
  if (!lab.ok()) {
    std::cerr << "theater-bench: " << lab.error().message << "\n";
    return 1;
  }
#ifndef __OPTIMIZE__
  std::cerr << "theater-bench: built without optimization; these figures say little\n";
#endif
  if (!options.json) std::cout << table_head() << std::endl;
  int exit_code = 0;
  for (const Benchmark& benchmark : chosen) {
    const auto outcome = benchmark.run(lab.value(), options.runs.value_or(benchmark.runs));
    if (!outcome.ok()) {
      std::cerr << "theater-bench: " << benchmark.name << ": " << outcome.error().message << "\n";
      exit_code = 1;
      continue;
    }
    std::cout << (options.json ? to_json_line(benchmark, *outcome) : to_table_line(benchmark, *outcome)) << std::endl;
  }
  if (!options.keep) {
    std::error_code ignored;
    for (const char* name : {"recorded", "end_to_end", "end_to_end_2", "end_to_end_many", "append_to_ack",
                             "gated_effect", "recovery", "node_memory"}) {
      std::filesystem::remove_all(std::filesystem::path(lab->folder()) / name, ignored);
    }
    std::filesystem::remove(lab->folder(), ignored);  // if it is empty now
  }
  return exit_code;
}

int run(const std::vector<std::string>& args) {
  signal(SIGPIPE, SIG_IGN);
  if (args.size() == 4 && args[0] == kAuditorArgument) return be_auditor(args[1], args[2], args[3]);
  if (args.size() == 3 && args[0] == kMeasureArgument) return measure_in_child(args[1], args[2]);
  const auto options = parse(args);
  if (!options.ok()) {
    std::cerr << "theater-bench: " << options.error().message;
    return 2;
  }
  if (options->help) {
    std::cout << kUsage;
    return 0;
  }
  std::vector<Benchmark> chosen;
  for (Benchmark& benchmark : all_benchmarks()) {
    if (!options->filter || std::regex_search(benchmark.name, *options->filter)) chosen.push_back(std::move(benchmark));
  }
  if (chosen.empty()) {
    std::cerr << "theater-bench: no benchmark's name matches; --list shows them all\n";
    return 2;
  }
  if (options->list) {
    for (const Benchmark& b : chosen) std::cout << b.name << "  (" << b.unit << ")  " << b.what << "\n";
    return 0;
  }
  return measure(*options, chosen);
}

}  // namespace
}  // namespace theater::bench

int main(int argc, char** argv) { return theater::bench::run({argv + 1, argv + argc}); }
