#include "cli/output.h"

#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "cli/progress.h"
#include "schema/display.h"

namespace theater::cli {
namespace {

bool wants_color() {
  const char* no_color =
      std::getenv("NO_COLOR");             // NOLINT(concurrency-mt-unsafe): nothing here changes the environment
  const char* term = std::getenv("TERM");  // NOLINT(concurrency-mt-unsafe)
  return (no_color == nullptr || *no_color == '\0') && (term == nullptr || std::strcmp(term, "dumb") != 0);
}

const char* code_of(Style style) {
  switch (style) {
    case Style::kPlain: return "";
    case Style::kBold: return "\033[1m";
    case Style::kDim: return "\033[2m";
    case Style::kRed: return "\033[31m";
    case Style::kGreen: return "\033[32m";
    case Style::kYellow: return "\033[33m";
  }
  return "";
}

std::string paint(bool terminal, Style style, std::string_view text) {
  if (!terminal || !wants_color() || style == Style::kPlain) return std::string(text);
  return str_cat(code_of(style), text, "\033[0m");
}

// Why stdout couldn't be written, at the first time that it couldn't: later calls succeed or fail for other reasons.
std::atomic<int> stdout_errno{0};

void note_stdout(bool ok) {
  const int why = ok ? 0 : errno;
  int none = 0;
  if (!ok) stdout_errno.compare_exchange_strong(none, why == 0 ? EIO : why);
}

void write_bytes(FILE* file, const void* bytes, size_t size) {
  const bool ok = std::fwrite(bytes, 1, size, file) == size;
  if (file == stdout) note_stdout(ok);
}

void flush_stdout() { note_stdout(std::fflush(stdout) == 0); }

void write_line(FILE* file, std::string_view text) {
  clear_progress();
  std::string line(text);
  line.push_back('\n');
  write_bytes(file, line.data(), line.size());
}

void write_note(std::string_view text) {
  flush_stdout();  // so that a terminal or a log shows both in the order in which they were said
  write_line(stderr, text);
  std::fflush(stderr);
}

// Messages may quote guests and files: of what a terminal acts upon, only line ends get through. Backslashes stay
// single: most messages have escaped what they quote already.
std::string harmless(std::string_view text) {
  std::string out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find_first_of("\n\\", begin), text.size());
    out += escape(as_bytes(text.substr(begin, end - begin)));
    if (end < text.size()) out.push_back(text[end]);
    begin = end + 1;
  }
  return out;
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xc0) != 0x80; }));
}

}  // namespace

void print_line(std::string_view text) { write_line(stdout, text); }

void print_raw(BytesView bytes) {
  clear_progress();
  write_bytes(stdout, bytes.data(), bytes.size());
}

void note(std::string_view text) { write_note(text); }
void warn(std::string_view text) {
  write_note(str_cat(paint(stderr_is_terminal(), Style::kYellow, "warning:"), " ", text));
}
void print_error(std::string_view text) {
  write_note(str_cat(paint(stderr_is_terminal(), Style::kRed, "error:"), " ", harmless(text)));
}

Result<void> finish_stdout() {
  flush_stdout();
  const int why = stdout_errno;
  if (why == 0) return Ok{};
  return Error{ErrorCode::kIo, str_cat("stdout can't be written: ", errno_text(why))};
}

bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

size_t terminal_width() {
  winsize size{};
  if (!stdout_is_terminal() || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return 0;
  return size.ws_col;
}

std::string styled(Style style, std::string_view text) { return paint(stdout_is_terminal(), style, text); }

void print_table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows) {
    widths.resize(std::max(widths.size(), row.size()));
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], code_points(row[i]));
  }
  bool heading = true;
  for (const auto& row : rows) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] + 2 - code_points(row[i]), ' ');
    }
    print_line(styled(heading ? Style::kBold : Style::kPlain, line));
    heading = false;
  }
}

std::string format_time(uint64_t time_ns) {
  const auto seconds = static_cast<time_t>(time_ns / 1'000'000'000);
  tm parts{};
  if (gmtime_r(&seconds, &parts) == nullptr) return "-";
  char buffer[64];
  const size_t length = std::strftime(buffer, sizeof buffer, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(buffer, length);
}

std::string format_duration(uint64_t duration_ms) {
  constexpr uint64_t kSecond = 1'000, kMinute = 60 * kSecond, kHour = 60 * kMinute, kDay = 24 * kHour;
  if (duration_ms < kSecond) return str_cat(duration_ms, " ms");
  if (duration_ms < 2 * kMinute) return str_cat(duration_ms / kSecond, " s");
  if (duration_ms < 2 * kHour) return str_cat(duration_ms / kMinute, " min");
  if (duration_ms < 2 * kDay) return str_cat(duration_ms / kHour, " h");
  return str_cat(duration_ms / kDay, " d");
}

std::string counted(uint64_t count, std::string_view singular) {
  return str_cat(count, " ", singular, count == 1 ? "" : "s");
}

void JsonLine::begin(std::string_view name) {
  if (out_.size() > 1) out_ += ',';
  out_ += schema::json_string(name);
  out_ += ':';
}

JsonLine& JsonLine::text(std::string_view name, std::string_view value) {
  return raw(name, schema::json_string(value));
}
JsonLine& JsonLine::number(std::string_view name, uint64_t value) { return raw(name, str_cat(value)); }
JsonLine& JsonLine::boolean(std::string_view name, bool value) { return raw(name, value ? "true" : "false"); }
JsonLine& JsonLine::texts(std::string_view name, const std::vector<std::string>& values) {
  std::vector<std::string> elements;
  elements.reserve(values.size());
  for (const auto& value : values) elements.push_back(schema::json_string(value));
  return raw(name, json_array(elements));
}
JsonLine& JsonLine::raw(std::string_view name, std::string_view json) {
  begin(name);
  out_ += json;
  return *this;
}

std::string json_array(const std::vector<std::string>& elements) {
  std::string out = "[";
  for (const auto& element : elements) {
    if (out.size() > 1) out += ',';
    out += element;
  }
  return out + "]";
}

}  // namespace theater::cli
