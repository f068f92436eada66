// What keeps an actor's data outside of its state: the host functions of the handlers `filesystem` and `store`. Compile
// theater_files.c beside theater.c. Memory and text are as theater.h says.
#ifndef THEATER_FILES_H
#define THEATER_FILES_H

#include "theater.h"

#ifdef __cplusplus
extern "C" {
#endif

// Handler `filesystem`: files in the folders that the manifest grants. A path is `FOLDER/NAME/…`.
theater_outcome theater_read_file(theater_view path);
theater_outcome theater_read_file_range(theater_view path, uint64_t offset, uint64_t length);
theater_outcome theater_write_file(theater_view path, theater_view content);  // replaces it in one step
theater_outcome theater_append_file(theater_view path, theater_view content);
theater_outcome theater_create_directory(theater_view path);
theater_outcome theater_remove_file(theater_view path);  // or an empty directory
theater_outcome theater_rename_file(theater_view from, theater_view to);

typedef struct {
  theater_view name;
  bool is_directory;
  uint64_t size;  // of a file
} theater_entry;
typedef struct {
  bool failed;
  theater_view error;  // if failed
  const theater_entry *entries;
  size_t count;
  uint32_t left_out;  // names that aren't UTF-8, and what is neither file nor directory
} theater_listing;
theater_listing theater_list_directory(theater_view path);

typedef struct {
  bool failed;
  theater_view error;  // if failed
  bool exists;         // if not; what follows, only if it does
  bool is_directory;
  uint64_t size;
  uint64_t modified_ns;  // since 1970-01-01 UTC
} theater_file_info;
theater_file_info theater_file_status(theater_view path);

// Handler `store`: content by its hash, 64 hexadecimal digits, and labels for it.
theater_outcome theater_store_put(theater_view content);  // the hash
theater_option_outcome theater_store_get(theater_view hash);

typedef struct {
  bool failed;
  theater_view error;  // if failed
  bool exists;         // if not
} theater_existence;
theater_existence theater_store_exists(theater_view hash);

theater_outcome theater_label_set(theater_view label, theater_view hash);
theater_option theater_label_get(theater_view label);  // the hash
bool theater_label_delete(theater_view label);         // whether there was one
typedef struct {
  theater_view label;
  theater_view hash;
} theater_label;
size_t theater_labels(const theater_label **labels);

#ifdef __cplusplus
}
#endif

#endif
