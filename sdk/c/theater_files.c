#include "theater_files.h"

#include "theater_import.h"

IMPORT("filesystem", "read") void import_read(const char *path, size_t size, tagged_view *result);
IMPORT("filesystem", "read-range")
void import_read_range(const char *path, size_t size, uint64_t offset, uint64_t length, tagged_view *result);
IMPORT("filesystem", "list") void import_list(const char *path, size_t size, void *result);
IMPORT("filesystem", "stat") void import_stat(const char *path, size_t size, void *result);
IMPORT("filesystem", "write")
void import_write(const char *path, size_t path_size, const char *data, size_t size, tagged_view *result);
IMPORT("filesystem", "append")
void import_append(const char *path, size_t path_size, const char *data, size_t size, tagged_view *result);
IMPORT("filesystem", "create-dir") void import_create_dir(const char *path, size_t size, tagged_view *result);
IMPORT("filesystem", "remove") void import_remove(const char *path, size_t size, tagged_view *result);
IMPORT("filesystem", "rename")
void import_rename(const char *from, size_t from_size, const char *to, size_t to_size, tagged_view *result);
IMPORT("store", "put") void import_put(const char *data, size_t size, tagged_view *result);
IMPORT("store", "get") void import_get(const char *hash, size_t size, void *result);
IMPORT("store", "exists") void import_exists(const char *hash, size_t size, void *result);
IMPORT("store", "label-set")
void import_label_set(const char *label, size_t label_size, const char *hash, size_t size, tagged_view *result);
IMPORT("store", "label-get") void import_label_get(const char *label, size_t size, tagged_view *result);
IMPORT("store", "label-delete") int32_t import_label_delete(const char *label, size_t size);
IMPORT("store", "list-labels") void import_labels(theater_view *result);

theater_outcome theater_read_file(theater_view path) {
  tagged_view result;
  import_read(path.data, path.size, &result);
  return outcome_of(&result, true);
}

theater_outcome theater_read_file_range(theater_view path, uint64_t offset, uint64_t length) {
  tagged_view result;
  import_read_range(path.data, path.size, offset, length, &result);
  return outcome_of(&result, true);
}

theater_outcome theater_write_file(theater_view path, theater_view content) {
  tagged_view result;
  import_write(path.data, path.size, content.data, content.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_append_file(theater_view path, theater_view content) {
  tagged_view result;
  import_append(path.data, path.size, content.data, content.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_create_directory(theater_view path) {
  tagged_view result;
  import_create_dir(path.data, path.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_remove_file(theater_view path) {
  tagged_view result;
  import_remove(path.data, path.size, &result);
  return outcome_of(&result, false);
}

theater_outcome theater_rename_file(theater_view from, theater_view to) {
  tagged_view result;
  import_rename(from.data, from.size, to.data, to.size, &result);
  return outcome_of(&result, false);
}

// A list of tuples lies in memory as an array of these structs.
_Static_assert(sizeof(theater_entry) == 24 && offsetof(theater_entry, size) == 16, "as the canonical ABI lays it out");

theater_listing theater_list_directory(theater_view path) {
  struct {
    uint32_t tag;
    union {
      theater_view error;
      struct {
        theater_view entries;
        uint32_t left_out;
      } ok;
    } as;
  } result;
  import_list(path.data, path.size, &result);
  theater_listing listing = {(result.tag & 0xff) != 0, {NULL, 0}, NULL, 0, 0};
  if (listing.failed) {
    listing.error = result.as.error;
  } else {
    listing.entries = (const theater_entry *)(const void *)result.as.ok.entries.data;
    listing.count = result.as.ok.entries.size;
    listing.left_out = result.as.ok.left_out;
  }
  return listing;
}

theater_file_info theater_file_status(theater_view path) {
  struct {
    uint32_t tag;
    union {
      theater_view error;
      struct {
        uint32_t present;
        struct {
          uint8_t is_directory;
          uint64_t size;
          uint64_t modified_ns;
        } info;
      } ok;
    } as;
  } result;
  import_stat(path.data, path.size, &result);
  theater_file_info info = {(result.tag & 0xff) != 0, {NULL, 0}, false, false, 0, 0};
  if (info.failed) {
    info.error = result.as.error;
  } else if ((result.as.ok.present & 0xff) != 0) {
    info.exists = true;
    info.is_directory = result.as.ok.info.is_directory != 0;
    info.size = result.as.ok.info.size;
    info.modified_ns = result.as.ok.info.modified_ns;
  }
  return info;
}

theater_outcome theater_store_put(theater_view content) {
  tagged_view result;
  import_put(content.data, content.size, &result);
  return outcome_of(&result, true);
}

theater_option_outcome theater_store_get(theater_view hash) {
  tagged_option result;
  import_get(hash.data, hash.size, &result);
  return option_outcome_of(&result);
}

theater_existence theater_store_exists(theater_view hash) {
  struct {
    uint32_t tag;
    union {
      theater_view error;
      uint8_t exists;
    } as;
  } result;
  import_exists(hash.data, hash.size, &result);
  theater_existence existence = {(result.tag & 0xff) != 0, {NULL, 0}, false};
  if (existence.failed) {
    existence.error = result.as.error;
  } else {
    existence.exists = result.as.exists != 0;
  }
  return existence;
}

theater_outcome theater_label_set(theater_view label, theater_view hash) {
  tagged_view result;
  import_label_set(label.data, label.size, hash.data, hash.size, &result);
  return outcome_of(&result, false);
}

theater_option theater_label_get(theater_view label) {
  tagged_view result;
  import_label_get(label.data, label.size, &result);
  return (result.tag & 0xff) != 0 ? theater_some(result.content) : theater_none();
}

bool theater_label_delete(theater_view label) { return import_label_delete(label.data, label.size) != 0; }

size_t theater_labels(const theater_label **labels) {
  theater_view list;
  import_labels(&list);
  *labels = (const theater_label *)(const void *)list.data;
  return list.size;
}
