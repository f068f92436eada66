#!/usr/bin/env python3
"""Holds what is linked to rules.py: who verifies must not need the runtime that is being verified, and the node keeps no
store.

    check_links.py LINK_GRAPH [--auditor theater-auditor] [--theater theater]

LINK_GRAPH has one line a library: `folder: theater_base;rocksdb;…`. The binaries are searched for Wasmtime's symbols.
"""
import argparse
import re
import subprocess
import sys

import rules

# Libraries that only one folder may link, by what their CMake names contain.
OWNERS = {"rocksdb": "persist", "wasmtime": "wasm", "zmq": "bus"}


def check_graph(text):
    """Yields a sentence for each edge that shouldn't be there."""
    for line in text.splitlines():
        folder, links = line.split(": ", 1)
        for link in re.findall(r"[\w:+-]+", links):
            target = link.removeprefix("theater_")
            if target in rules.FOLDERS and target not in rules.FOLDERS[folder] and target != folder:
                yield f"theater_{folder} links {link}: {folder}/ may not use {target}/"
            for library, owner in OWNERS.items():
                if library in link.lower() and folder != owner:
                    yield f"theater_{folder} links {link}: that belongs to {owner}/"


def wasmtime_symbols(binary):
    symbols = subprocess.run(["nm", binary], check=True, capture_output=True, text=True).stdout
    return len(re.findall(r" [TtWw] (?:wasmtime_|wasm_engine_|_ZN8wasmtime)", symbols))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("graph")
    parser.add_argument("--auditor")
    parser.add_argument("--theater")
    arguments = parser.parse_args()
    with open(arguments.graph, encoding="utf-8") as file:
        text = file.read()
    found = list(check_graph(text))
    if not text:
        found.append("the graph is empty")
    # theater itself shows that the search would find something.
    if arguments.theater and wasmtime_symbols(arguments.theater) == 0:
        found.append(f"no symbol of Wasmtime found in {arguments.theater}: is this check still looking for the right names?")
    if arguments.auditor and wasmtime_symbols(arguments.auditor) != 0:
        found.append(f"{arguments.auditor} contains Wasmtime")
    print("\n".join(found) or f"{len(text.splitlines())} libraries, no violation")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
