// What /proc says of this process. The names are those that every Prometheus client library uses.
#include <dirent.h>
#include <sys/resource.h>
#include <unistd.h>

#include <charconv>
#include <map>
#include <memory>

#include "base/file.h"
#include "cli/metrics_door.h"

namespace theater::cli {
namespace {

constexpr size_t kStatMax = 4'096;

// The fields of a stat file from the third one on: what stands before is a name that may hold anything.
struct Stat {
  std::string name;
  std::vector<uint64_t> fields;  // [0] is the third field

  uint64_t field(size_t number) const { return number - 3 < fields.size() ? fields[number - 3] : 0; }
};

std::optional<Stat> read_stat(const std::string& path) {
  const auto text = read_file(path, kStatMax);
  if (!text.ok()) return std::nullopt;
  const std::string_view all = as_text(*text);
  const auto open = all.find('('), close = all.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos) return std::nullopt;
  Stat stat;
  stat.name = all.substr(open + 1, close - open - 1);
  for (size_t at = close + 1; at < all.size();) {
    if (all[at] == ' ' || all[at] == '\n') {
      ++at;
      continue;
    }
    const auto end = std::min(all.find_first_of(" \n", at), all.size());
    uint64_t number = 0;  // stays 0 for what is no number
    std::from_chars(all.data() + at, all.data() + end, number);
    stat.fields.push_back(number);
    at = end;
  }
  return stat;
}

std::vector<std::string> entries_of(const char* path) {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(path), closedir);
  std::vector<std::string> names;
  if (folder == nullptr) return names;
  while (const auto* entry = readdir(folder.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  return names;
}

double seconds_of_ticks(uint64_t ticks) {
  return static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double cpu_seconds(const Stat& stat) { return seconds_of_ticks(stat.field(14) + stat.field(15)); }

// Since 1970.
std::optional<double> boot_seconds() {
  const auto text = read_file("/proc/stat", size_t{1} << 20);
  if (!text.ok()) return std::nullopt;
  const std::string_view all = as_text(*text);
  const auto at = all.find("\nbtime ");
  if (at == std::string_view::npos) return std::nullopt;
  uint64_t seconds = 0;
  std::from_chars(all.data() + at + 7, all.data() + all.size(), seconds);
  return static_cast<double>(seconds);
}

}  // namespace

void add_process_metrics(Metrics& metrics) {
  const auto stat = read_stat("/proc/self/stat");
  if (!stat) return;
  if (const auto boot = boot_seconds()) {
    metrics.gauge("process_start_time_seconds", "When this process began, in seconds since 1970.",
                  *boot + seconds_of_ticks(stat->field(22)));
  }
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  metrics.counter("process_cpu_seconds_total", "Processor time of all threads of this process.", cpu_seconds(*stat));
  metrics.gauge("process_resident_memory_bytes", "Memory of this process that is in RAM.", stat->field(24) * page);
  metrics.gauge("process_virtual_memory_bytes", "Address space of this process; most of it is reserved and empty.",
                stat->field(23));
  metrics.gauge("process_threads", "Threads of this process.", stat->field(20));
  metrics.gauge("process_open_fds", "Open file descriptors.", entries_of("/proc/self/fd").size());
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
    metrics.gauge("process_max_fds", "File descriptors that may be open.", limit.rlim_cur);
  }
  std::map<std::string, double> by_name;  // several threads may have one
  for (const auto& thread : entries_of("/proc/self/task")) {
    if (const auto one = read_stat("/proc/self/task/" + thread + "/stat")) by_name[one->name] += cpu_seconds(*one);
  }
  metrics.family(Metric::Kind::kCounter, "theater_thread_cpu_seconds_total",
                 "Processor time by the thread's name; see ARCHITECTURE.md for what each does.");
  for (const auto& [name, seconds] : by_name) metrics.add({{"thread", name}}, seconds);
}

}  // namespace theater::cli
