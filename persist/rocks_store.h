// The store on disk: RocksDB, and beside it the file TIP (tip_file.h). Everything of RocksDB's stops in rocks_store.cc.
//
// Writing: one process at a time, from opening until close(), whatever the disk says in between. Reading: any number,
// beside a running writer too, without writing to the folder.
#pragma once

#include "persist/store.h"

namespace theater::persist {

struct RocksOptions {
  bool sync = true;
};

// Makes the store if the folder doesn't exist or is empty. kRefused if another process has it open (the message names
// its pid) or if the folder holds anything else, kCorrupt if it is damaged or lacks what was acknowledged, kInvalid if
// it is another program's database.
Result<std::unique_ptr<Store>> open_rocks_store(const std::string& path, const RocksOptions& options);

// kNotFound if there is none. A store that is damaged but readable in part is opened: see Store::damage().
Result<std::unique_ptr<Store>> open_rocks_store_for_reading(const std::string& path);

}  // namespace theater::persist
