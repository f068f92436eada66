// theater version
#include <memory>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/version.h"
#include "schema/event.h"

namespace theater::cli {

void add_version_command(Command& root, const std::string& engine) {
  auto json = std::make_shared<bool>(false);
  Command verb = root.add("version", "Prints the version, the event format's version and the engine");
  verb.flag("--json", *json, kJsonHelp);
  verb.runs([json, engine]() -> Result<ExitCode> {
    if (*json) {
      print_line(JsonLine()
                     .text("version", kVersion)
                     .number("event_format", schema::kFormatVersion)
                     .text("engine", engine)
                     .str());
    } else {
      print_line(str_cat("theater ", kVersion, ", event format ", schema::kFormatVersion, ", engine: ", engine));
    }
    return ExitCode::kDone;
  });
}

}  // namespace theater::cli
