#include "bench/auditor_process.h"

#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <memory>

#include "base/file.h"
#include "persist/auditor.h"

namespace theater::bench {
namespace {

// A port of this machine that nobody has. Somebody could take it before the child does; then the child says so.
Result<std::string> free_endpoint() {
  const Error failed{ErrorCode::kIo, "no free TCP port on 127.0.0.1"};
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return failed;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  const bool got = bind(fd, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                   getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
  close(fd);
  if (!got) return failed;
  return str_cat("tcp://127.0.0.1:", ntohs(address.sin_port));
}

Result<uint64_t> number_at(std::string_view& line) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), value);
  if (error != std::errc{}) return Error{ErrorCode::kIo, str_cat("the auditor's process answered \"", line, "\"")};
  line.remove_prefix(static_cast<size_t>(end - line.data()));
  if (!line.empty()) line.remove_prefix(1);
  return value;
}

Result<Child> start_child(const std::string& folder, const bus::DialOptions& dial) {
  TRY_ASSIGN(auto child, Child::start({kAuditorArgument, folder, dial.data_endpoint, dial.control_endpoint}));
  TRY(child.receive());  // "ready"
  return child;
}

void log_line(const std::string& line) { std::fprintf(stderr, "auditor: %s\n", line.c_str()); }

int fail(const Error& error) {
  log_line(error.message);
  return 1;
}

}  // namespace

Result<AuditorProcess> AuditorProcess::start(const std::string& folder) {
  return start(folder, std::make_shared<bus::SecretKeys>(bus::SecretKeys::generate()));
}

Result<AuditorProcess> AuditorProcess::start_beside(const AuditorProcess& first, const std::string& folder) {
  return start(folder, first.node_keys_);
}

Result<AuditorProcess> AuditorProcess::start(const std::string& folder, std::shared_ptr<bus::SecretKeys> node_keys) {
  std::error_code error;
  std::filesystem::remove_all(folder, error);
  std::filesystem::create_directories(folder, error);
  if (error) return Error{ErrorCode::kIo, str_cat("can't make the folder ", folder, ": ", error.message())};

  const auto auditor_keys = bus::SecretKeys::generate();
  TRY(auditor_keys.save(folder + "/auditor.key"));
  const std::string authorized = str_cat("node ", node_keys->public_keys().text(), " bench\n");
  TRY(write_file(folder + "/authorized_keys", as_bytes(authorized), 0600));

  bus::DialOptions dial;
  dial.name = "bench";
  dial.server = auditor_keys.public_keys();
  TRY_ASSIGN(dial.data_endpoint, free_endpoint());
  TRY_ASSIGN(dial.control_endpoint, free_endpoint());
  TRY_ASSIGN(auto child, start_child(folder, dial));
  return AuditorProcess(std::move(child), folder, std::move(node_keys), std::move(dial));
}

void AuditorProcess::kill() {
  ::kill(child_.pid(), SIGKILL);
  child_.finish();
}

Result<void> AuditorProcess::restart() {
  TRY_ASSIGN(child_, start_child(folder_, dial_));
  return Ok{};
}

Result<AuditorProcess::Counts> AuditorProcess::counts() {
  TRY_ASSIGN(const std::string answer, child_.ask("counts"));
  std::string_view line = answer;
  Counts counts;
  TRY_ASSIGN(counts.events, number_at(line));
  TRY_ASSIGN(counts.commits, number_at(line));
  TRY_ASSIGN(counts.evidence, number_at(line));
  return counts;
}

int be_auditor(const std::string& folder, const std::string& data_endpoint, const std::string& control_endpoint) {
  SystemClock clock;
  SystemRandom random;
  auto keys = bus::SecretKeys::load(folder + "/auditor.key");
  if (!keys.ok()) return fail(keys.error());
  bus::LoopOptions loop_options;
  loop_options.keys = &keys.value();
  loop_options.identity = keys->public_keys().identity;
  loop_options.clock = &clock;
  loop_options.random = &random;
  auto loop = bus::make_loop(std::move(loop_options));
  if (!loop.ok()) return fail(loop.error());

  persist::AuditorOptions options;
  options.store_path = folder + "/store";
  options.clock = &clock;
  options.keys = &keys.value();
  options.log = log_line;
  options.reply = [&](const bus::CurveKey& peer, Bytes message) { loop.value()->reply(peer, std::move(message)); };
  auto auditor = persist::start_auditor(std::move(options));
  if (!auditor.ok()) return fail(auditor.error());
  bus::ListenOptions listen{data_endpoint, control_endpoint, folder + "/authorized_keys"};
  const auto listening =
      loop.value()->listen(listen, [&](bus::Inbound message) { return auditor.value()->offer(std::move(message)); });
  if (!listening.ok()) return fail(listening.error());

  std::cout << "ready" << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
    const auto status = auditor.value()->status();
    std::cout << status.events << ' ' << status.commits << ' ' << status.evidence << std::endl;
  }
  auditor.value()->stop();
  loop.value()->stop(1000);
  return 0;
}

}  // namespace theater::bench
