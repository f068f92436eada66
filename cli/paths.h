// Paths and endpoints as people write them in files and on the command line.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "bus/keys.h"

namespace theater::cli {

// `path` as it stands in the file `file`: relative to the file's folder, unless absolute. Empty stays empty.
std::string beside(const std::string& file, const std::string& path);

// "unix:/path" as it stands in the file `file`. kInvalid if it is no such thing or longer than a socket's path may be.
Result<std::string> unix_endpoint_beside(const std::string& file, std::string_view endpoint);

// unix:/path or tcp://host:port, as `--node` takes it.
Result<void> check_control_endpoint(const std::string& endpoint);

// A public key as people give it: tk1… itself, or the path of a file whose first line it is. check_public_key() looks
// at the text only: a file may still be missing.
Result<void> check_public_key(const std::string& text_or_path);
Result<bus::PublicKeys> read_public_key(const std::string& text_or_path);

// Without the line break, and without blanks at the end.
std::string_view first_line(std::string_view text);

}  // namespace theater::cli
