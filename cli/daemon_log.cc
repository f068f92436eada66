#include "cli/daemon_log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cli/paths.h"

namespace theater::cli {

LogConfig read_log_config(const Config::Table& root, const std::string& config_path) {
  constexpr uint64_t kFileMaxBytes = 64u << 20, kFiles = 3;
  LogConfig config{"", kFileMaxBytes, kFiles};
  if (const auto table = root.table("log")) {
    config.file = beside(config_path, table->required_text("file"));
    config.file_max_bytes = table->size_bytes("file_max", kFileMaxBytes, 4u << 10, uint64_t{1} << 40);
    config.files = table->number("files", kFiles, 1, 1'000);
  }
  return config;
}

Result<Log> daemon_log(const std::string& who, const LogConfig& config) {
  try {
    spdlog::sink_ptr sink;
    if (config.file.empty()) {
      sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
    } else {
      sink =
          std::make_shared<spdlog::sinks::rotating_file_sink_mt>(config.file, config.file_max_bytes, config.files - 1);
    }
    auto logger = std::make_shared<spdlog::logger>(who, std::move(sink));
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %n: %v", spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::info);
    return Log([logger](const std::string& line) { logger->info("{}", line); });
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kIo, str_cat("the log ", config.file, " can't be written: ", error.what())};
  }
}

}  // namespace theater::cli
