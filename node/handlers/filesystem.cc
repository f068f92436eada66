// The handler `filesystem`: files in the folders that the manifest grants. What a path may lead to is decided in
// granted_folder.h; here stand the grants, and what becomes of the answers.
#include <algorithm>

#include "node/actor/manifest.h"
#include "node/handlers/call.h"
#include "node/handlers/granted_folder.h"

namespace theater::node {

using schema::Value;
using wasm::HostCall;
using wasm::HostStatus;

namespace {

Value answer(const Result<void>& result) { return result.ok() ? Value::ok() : err(result.error()); }

// "notes/2024/x" in the folder granted as "notes".
Result<FolderPath> granted_path(const FilesystemGrant& granted, const std::string& path, bool writes) {
  TRY_ASSIGN(auto parts, split_guest_path(path));
  const std::string name = is_plain(parts[0]) ? parts[0] : "…";
  const auto folder = std::find_if(granted.folders.begin(), granted.folders.end(),
                                   [&](const FolderGrant& each) { return each.name == parts[0]; });
  const auto refuse = [&](std::string_view why, std::string_view mode) {
    return Error{ErrorCode::kRefused,
                 str_cat(quote(path, kGuestPathMax), " ", why,
                         "; add to the manifest's handler filesystem:\n[[handler.folder]]\nname = \"", name,
                         "\"\npath = \"…\"\nmode = \"", mode, "\"")};
  };
  if (folder == granted.folders.end()) {
    return refuse("isn't in a granted folder", writes ? "read-write" : "read");
  }
  if (writes && !folder->writable) return refuse("is in a folder that is granted for reading only", "read-write");
  parts.erase(parts.begin());
  return FolderPath{folder->path, std::move(parts), path};
}

// Whatever goes to the disk goes there on an I/O thread, while the guest waits. `make_job` is asked once, and its job
// makes the answer.
HostStatus on_disk(Services& services, HostCall& call, bool writes,
                   const std::function<IoJob(FolderPath path)>& make_job) {
  auto path = granted_path(services.manifest().permissions.filesystem, text_arg(call, 0), writes);
  if (!path.ok()) return refuse(call, path.error());
  auto value = services.offload([&] { return make_job(std::move(*path)); });
  return value ? answer_with(call, std::move(*value)) : HostStatus::kParked;
}

Result<void> small_enough(Services& services, uint64_t bytes) {
  const uint64_t max = services.manifest().permissions.filesystem.file_bytes;
  if (bytes <= max) return Ok{};
  return Error{ErrorCode::kRefused,
               str_cat(bytes, " bytes are more than the ", max, " that the manifest's file_bytes allows")};
}

HostStatus read(Services& services, HostCall& call) {
  return on_disk(services, call, false, [&](FolderPath path) {
    return [path = std::move(path), max = services.manifest().permissions.filesystem.file_bytes] {
      auto content = read_below(path, max);
      return content.ok() ? Value::ok(Value::bytes(std::move(*content))) : err(content.error());
    };
  });
}

HostStatus read_range(Services& services, HostCall& call) {
  const uint64_t offset = u64_arg(call, 1), length = u64_arg(call, 2);
  if (const auto small = small_enough(services, length); !small.ok()) return refuse(call, small.error());
  return on_disk(services, call, false, [&](FolderPath path) {
    return [path = std::move(path), offset, length] {
      auto content = read_range_below(path, offset, length);
      return content.ok() ? Value::ok(Value::bytes(std::move(*content))) : err(content.error());
    };
  });
}

Value listing_of(const FolderPath& path) {
  const auto listing = list_below(path);
  if (!listing.ok()) return err(listing.error());
  std::vector<Value> entries;
  for (const auto& each : listing->entries) {
    entries.push_back(
        Value::tuple({Value::string(each.name), Value::boolean(each.is_directory), Value::u64(each.size)}));
  }
  return Value::ok(Value::tuple({Value::list(std::move(entries)), Value::u32(listing->left_out)}));
}

HostStatus list(Services& services, HostCall& call) {
  return on_disk(services, call, false,
                 [](FolderPath path) { return [path = std::move(path)] { return listing_of(path); }; });
}

Value stat_of(const FolderPath& path) {
  const auto info = stat_below(path);
  if (!info.ok()) return err(info.error());
  if (!*info) return Value::ok(Value::none());
  return Value::ok(Value::some(Value::tuple(
      {Value::boolean((*info)->is_directory), Value::u64((*info)->size), Value::u64((*info)->modified_ns)})));
}

HostStatus stat(Services& services, HostCall& call) {
  return on_disk(services, call, false,
                 [](FolderPath path) { return [path = std::move(path)] { return stat_of(path); }; });
}

// The job has its own copy of the content: an actor that is killed meanwhile takes its arguments along.
HostStatus write(Services& services, HostCall& call) {
  const auto& bytes = bytes_arg(call, 1);
  if (const auto small = small_enough(services, bytes.size()); !small.ok()) return refuse(call, small.error());
  return on_disk(services, call, true, [&](FolderPath path) {
    return [path = std::move(path), bytes] { return answer(write_below(path, bytes)); };
  });
}

HostStatus append(Services& services, HostCall& call) {
  const auto& bytes = bytes_arg(call, 1);
  if (const auto small = small_enough(services, bytes.size()); !small.ok()) return refuse(call, small.error());
  return on_disk(services, call, true, [&](FolderPath path) {
    return [path = std::move(path), bytes, max = services.manifest().permissions.filesystem.file_bytes] {
      return answer(append_below(path, bytes, max));
    };
  });
}

HostStatus create_dir(Services& services, HostCall& call) {
  return on_disk(services, call, true, [](FolderPath path) {
    return [path = std::move(path)] { return answer(create_directory_below(path)); };
  });
}

HostStatus remove(Services& services, HostCall& call) {
  return on_disk(services, call, true,
                 [](FolderPath path) { return [path = std::move(path)] { return answer(remove_below(path)); }; });
}

HostStatus rename(Services& services, HostCall& call) {
  const auto to = granted_path(services.manifest().permissions.filesystem, text_arg(call, 1), true);
  if (!to.ok()) return refuse(call, to.error());
  return on_disk(services, call, true, [&](FolderPath from) {
    return [from = std::move(from), to = *to] { return answer(rename_below(from, to)); };
  });
}

constexpr HandlerEntry kEntries[] = {
    {"read", read},     {"read-range", read_range}, {"list", list},     {"stat", stat},     {"write", write},
    {"append", append}, {"create-dir", create_dir}, {"remove", remove}, {"rename", rename},
};

}  // namespace

std::span<const HandlerEntry> filesystem_handler() { return kEntries; }

}  // namespace theater::node
