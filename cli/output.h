// Where text goes: data to stdout, everything said to a person to stderr. So `theater … | jq` and `theater … >file`
// hold data and nothing else. Every line is finished before the next begins, from whatever thread.
//
// Colour only where stderr or stdout is a terminal and NO_COLOR is unset or empty. Nothing here fails visibly: a stdout
// that can't be written (a full disk) is noticed by finish_stdout() at the end of the program.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace theater::cli {

// One line of data. `text` has no line break.
void print_line(std::string_view text);
// Bytes as they are.
void print_raw(BytesView bytes);
// One line for people.
void note(std::string_view text);
void warn(std::string_view text);         // "warning: …"
void print_error(std::string_view text);  // "error: …"

// Flushes; an error if anything that was printed didn't get out.
Result<void> finish_stdout();

bool stdout_is_terminal();
bool stderr_is_terminal();
// Columns of the terminal on stdout; 0 (no limit) if it isn't one.
size_t terminal_width();

enum class Style { kPlain, kBold, kDim, kRed, kGreen, kYellow };
// `text` in that style if stdout is a terminal that wants colour.
std::string styled(Style style, std::string_view text);

// Columns separated by two spaces, the first row being the heading. Widths count code points.
void print_table(const std::vector<std::vector<std::string>>& rows);

// "2026-11-23T15:04:05Z"
std::string format_time(uint64_t time_ns);
// "340 ms", "12 s", "5 min", "3 h", "2 d"
std::string format_duration(uint64_t duration_ms);
// "8 events", "1 event"
std::string counted(uint64_t count, std::string_view singular);

// One JSON object on one line.
class JsonLine {
 public:
  JsonLine& text(std::string_view name, std::string_view value);
  JsonLine& number(std::string_view name, uint64_t value);
  JsonLine& boolean(std::string_view name, bool value);
  JsonLine& texts(std::string_view name, const std::vector<std::string>& values);
  JsonLine& raw(std::string_view name, std::string_view json);
  std::string str() const { return out_ + "}"; }

 private:
  void begin(std::string_view name);
  std::string out_ = "{";
};

// [1,2] or ["a","b"] of elements that are JSON already.
std::string json_array(const std::vector<std::string>& elements);

}  // namespace theater::cli
