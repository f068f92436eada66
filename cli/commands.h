// What the two programs are made of. Each function adds one noun or verb; its file holds everything that belongs to it.
// Commands in the first group need no WebAssembly engine and are in theater-auditor, too.
#pragma once

#include "cli/command.h"

namespace theater::cli {

// In both programs.
void add_auditor_commands(Command& root);  // auditor start|check, and the one below
void add_auditor_status(Command& noun);    // auditor status
void add_chain_commands(Command& root);    // chain list|show|verify|tail
void add_chain_list(Command& noun);
void add_chain_show(Command& noun);
void add_chain_verify(Command& noun);
void add_chain_tail(Command& noun);
void add_dump_command(Command& root);
void add_evidence_commands(Command& root);       // evidence list|show, and the one below
void add_evidence_file_commands(Command& noun);  // evidence export|check|compare
void add_keys_commands(Command& root);           // keys new|show
void add_version_command(Command& root, const std::string& engine);

// In theater only.
void add_context_commands(Command& root);        // context add|select|list
void add_run_command(Command& root);             // run
void add_node_commands(Command& root);           // node start|check, and the one below
void add_node_status(Command& noun);             // node status
void add_actor_commands(Command& root);          // actor spawn, and the four below
void add_actor_look_commands(Command& noun);     // actor list|show|tree
void add_actor_message_commands(Command& noun);  // actor send|request
void add_actor_logs_command(Command& noun);      // actor logs
void add_actor_end_commands(Command& noun);      // actor stop|kill
void add_subscription_commands(Command& root);   // subscription add|remove|demote|promote|list
void add_replay_command(Command& root);          // replay
void add_package_commands(Command& root);        // package show

}  // namespace theater::cli
