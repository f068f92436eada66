#include "cli/daemon_log.h"

#include <spdlog/sinks/rotating_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "cli/output.h"
#include "cli/paths.h"

namespace theater::cli {

LogConfig read_log_config(const Config::Table& root, const std::string& config_path) {
  constexpr uint64_t kFileMaxBytes = 64u << 20, kFiles = 3;
  LogConfig config{"", kFileMaxBytes, kFiles, false};
  if (const auto table = root.table("log")) {
    if (const auto file = table->optional_text("file")) config.file = beside(config_path, *file);
    config.json = table->choice("format", {"text", "json"}, "text") == "json";
    config.file_max_bytes = table->size_bytes("file_max", kFileMaxBytes, 4u << 10, uint64_t{1} << 40);
    config.files = table->number("files", kFiles, 1, 1'000);
  }
  return config;
}

namespace {

// Without the opening brace and the time, which the pattern has.
std::string json_of(const std::string& who, const LogLine& line) {
  JsonLine json;
  json.text("who", who);
  if (!line.actor.is_zero()) {
    if (!line.actor_name.empty()) json.text("name", line.actor_name);
    json.text("actor", line.actor.hex());
  }
  if (line.event) json.text("event", line.event->hex());
  return json.text("message", line.text).str().substr(1);
}

// What a guest says must not look like a line of ours.
std::string text_of(const LogLine& line) {
  return line.actor.is_zero() ? line.text : escape(as_bytes(line.for_people()));
}

}  // namespace

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
    logger->set_pattern(config.json ? R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ",%v)" : "%Y-%m-%dT%H:%M:%S.%eZ %n: %v",
                        spdlog::pattern_time_type::utc);
    logger->flush_on(spdlog::level::info);
    return Log([logger, who, json = config.json](const LogLine& line) {
      logger->info("{}", json ? json_of(who, line) : text_of(line));
    });
  } catch (const spdlog::spdlog_ex& error) {
    return Error{ErrorCode::kIo, str_cat("the log ", config.file, " can't be written: ", error.what())};
  }
}

}  // namespace theater::cli
