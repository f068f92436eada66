// theater package show
#include <memory>

#include "base/crypto.h"
#include "base/file.h"
#include "cli/commands.h"
#include "cli/manifest_file.h"
#include "cli/output.h"
#include "wasm/engine.h"

namespace theater::cli {
namespace {

struct Options {
  std::string file;
  bool json = false;
};

std::vector<const wasm::ExportFunction*> exports_of(const wasm::Module& module) {
  std::vector<const wasm::ExportFunction*> found;
  for (const auto& function : wasm::export_functions()) {
    if (function.type_name != schema::kTypeInitialize && module.exports(function)) found.push_back(&function);
  }
  for (const auto& function : module.callables()) found.push_back(&function);
  return found;
}

void print_json(const Options& options, const wasm::Module& module, size_t size) {
  std::vector<std::string> imports, exports;
  for (const auto* function : module.imports()) {
    imports.push_back(JsonLine().text("name", function->type_name).text("handler", function->handler).str());
  }
  for (const auto* function : exports_of(module)) {
    exports.push_back(JsonLine().text("name", function->type_name).text("type", function->type.wit()).str());
  }
  print_line(JsonLine()
                 .text("file", options.file)
                 .text("sha256", module.package().hex())
                 .number("bytes", size)
                 .raw("imports", json_array(imports))
                 .raw("exports", json_array(exports))
                 .text("manifest", manifest_for(options.file, module))
                 .str());
}

void print_text(const Options& options, const wasm::Module& module, size_t size) {
  print_line(str_cat("package   sha256:", module.package().hex()));
  print_line(str_cat("size      ", size, " B"));
  for (const auto* function : module.imports()) {
    print_line(str_cat("imports   ", function->type_name, "  (handler ", function->handler, ")"));
  }
  for (const auto* function : exports_of(module)) print_line(str_cat("exports   ", function->type_name));
  print_line("manifest");
  std::string line;
  for (const char c : manifest_for(options.file, module)) {
    if (c != '\n') {
      line += c;
      continue;
    }
    print_line(line.empty() ? line : "  " + line);
    line.clear();
  }
}

Result<ExitCode> show(const Options& options) {
  TRY_ASSIGN(const auto package, read_file(options.file));
  TRY_ASSIGN(const auto engine, wasm::make_wasmtime_engine({}));
  auto module = engine->compile(package);
  if (!module.ok()) return Error{module.error().code, str_cat(options.file, ": ", module.error().message)};
  if (options.json) {
    print_json(options, **module, package.size());
  } else {
    print_text(options, **module, package.size());
  }
  return ExitCode::kDone;
}

}  // namespace

void add_package_commands(Command& root) {
  Command noun = root.add("package", "Looks at WebAssembly packages");
  auto options = std::make_shared<Options>();
  Command verb = noun.add("show", "Prints a package's hash, imports and exports, and the manifest it needs");
  verb.argument("FILE", options->file, "A .wasm file");
  verb.flag("--json", options->json, kJsonHelp);
  verb.runs([options] { return show(*options); });
}

}  // namespace theater::cli
