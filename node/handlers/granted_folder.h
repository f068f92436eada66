// What may be done below a folder that a manifest grants, and nowhere else. Every path is walked component by component
// from the folder itself, each step relative to the directory before and refusing links, so that nothing that others
// rename or link meanwhile leads out of it: there is no check that a later use could miss. "..", "." and empty names
// are refused before the disk is asked. Only regular files and directories are touched: what else is there (devices,
// pipes, sockets, links) is never waited for, and never read or written; nor is a file that has a second name (a hard
// link), since that may be outside.
//
// Calls block on the disk; they run on I/O threads (node/runtime/io_threads.h). Stateless: a folder is opened for each
// call. Messages name paths as the guest does, never the node's own.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"

namespace theater::node {

inline constexpr size_t kGuestPathMax = 1'024;  // bytes
inline constexpr size_t kPathDepthMax = 32;     // components
inline constexpr size_t kListedMax = 10'000;    // entries of one listing

// A file or directory below a granted folder; without parts, the folder itself.
struct FolderPath {
  std::string root;  // on the node
  std::vector<std::string> parts;
  std::string shown;  // as the guest wrote it
};

struct FileInfo {
  bool is_directory = false;
  uint64_t size = 0;  // of a regular file
  uint64_t modified_ns = 0;
};

struct FolderEntry {
  std::string name;
  bool is_directory = false;
  uint64_t size = 0;
};

struct FolderListing {
  std::vector<FolderEntry> entries;  // by name
  uint32_t left_out = 0;             // names that aren't UTF-8, and what is neither file nor directory
};

// The components of "a/b/c", or what is wrong with it.
Result<std::vector<std::string>> split_guest_path(std::string_view path);

// At most `max` bytes; a file that has more is refused. With a length: that many from `offset` on, or fewer at the end.
Result<Bytes> read_below(const FolderPath& path, uint64_t max);
Result<Bytes> read_range_below(const FolderPath& path, uint64_t offset, uint64_t length);
// No value: there is nothing of that name.
Result<std::optional<FileInfo>> stat_below(const FolderPath& path);
Result<FolderListing> list_below(const FolderPath& path);

// Durable when they return. A write replaces a file in one step: others see the old content or the new, whole. An
// append that fails leaves the file as it was; it isn't made longer than `max`.
Result<void> write_below(const FolderPath& path, BytesView content);
Result<void> append_below(const FolderPath& path, BytesView content, uint64_t max);
Result<void> create_directory_below(const FolderPath& path);
Result<void> remove_below(const FolderPath& path);                        // a file, or a directory that is empty
Result<void> rename_below(const FolderPath& from, const FolderPath& to);  // replaces a file that is there

}  // namespace theater::node
