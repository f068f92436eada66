// theater-auditor: the part of theater that an auditor needs. It holds no WebAssembly engine: who verifies shouldn't
// need the runtime that is being verified.
#include "cli/commands.h"

int main(int argc, char** argv) {
  return theater::cli::run_program(
      "theater-auditor", "Takes the chains of Theater's actors, verifies them and keeps them",
      [](theater::cli::Command& root) {
        theater::cli::add_auditor_commands(root);
        theater::cli::add_chain_commands(root);
        theater::cli::add_evidence_commands(root);
        theater::cli::add_dump_command(root);
        theater::cli::add_keys_commands(root);
        theater::cli::add_version_command(root, "none");
      },
      argc, argv);
}
