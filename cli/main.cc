// theater: runs actors and lets nobody rewrite what they did.
#include "cli/commands.h"

int main(int argc, char** argv) {
  return theater::cli::run_program(
      "theater", "Runs WebAssembly actors and keeps a record of them that nobody can rewrite",
      [](theater::cli::Command& root) {
        theater::cli::add_run_command(root);
        theater::cli::add_node_commands(root);
        theater::cli::add_auditor_commands(root);
        theater::cli::add_actor_commands(root);
        theater::cli::add_chain_commands(root);
        theater::cli::add_subscription_commands(root);
        theater::cli::add_replay_command(root);
        theater::cli::add_evidence_commands(root);
        theater::cli::add_dump_command(root);
        theater::cli::add_keys_commands(root);
        theater::cli::add_package_commands(root);
        theater::cli::add_context_commands(root);
        theater::cli::add_version_command(root, "Wasmtime 48");
      },
      argc, argv);
}
