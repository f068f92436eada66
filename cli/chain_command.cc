// theater chain: the noun. Each verb has a file of its own.
#include "cli/commands.h"

namespace theater::cli {

void add_chain_commands(Command& root) {
  Command noun = root.add("chain", "Looks at what an auditor's store holds");
  add_chain_list(noun);
  add_chain_show(noun);
  add_chain_verify(noun);
  add_chain_tail(noun);
}

}  // namespace theater::cli
