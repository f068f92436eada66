#!/usr/bin/env python3
"""Holds the guest headers to what wit-bindgen 0.63 emits for sdk/wit/theater.wit: names and core signatures of all imports
and exports.

    abi_test.py GUEST.wasm GOLDEN WIT             compares
    abi_test.py GUEST.wasm GOLDEN WIT --write     replaces GOLDEN

To write GOLDEN after a change of the WIT: `wit-bindgen c --world message-actor sdk/wit`, a guest from what it generates
that calls every import, compiled like any other, and this script with --write.
"""
import hashlib
import re
import subprocess
import sys


def listing(wasm):
    """The guest's imports and exports with their types, sorted."""
    text = subprocess.run(["wasm-objdump", "-x", wasm], check=True, capture_output=True, text=True).stdout
    types = dict(re.findall(r"^ - type\[(\d+)\] (.*)$", text, re.M))
    signatures = dict(re.findall(r"^ - func\[(\d+)\] sig=(\d+)", text, re.M))
    lines = [f"import {name} {types[sig]}" for sig, name in re.findall(r"^ - func\[\d+\] sig=(\d+) <.*> <- (.*)$", text, re.M)]
    for function, name in re.findall(r'^ - func\[(\d+)\] <.*> -> "(.*)"$', text, re.M):
        lines.append(f"export {name} {types[signatures[function]]}")
    lines += [f"export {name} (memory)" for name in re.findall(r'^ - memory\[0\] -> "(.*)"$', text, re.M)]
    return sorted(lines)


def main():
    wasm, golden, wit = sys.argv[1:4]
    with open(wit, "rb") as file:
        lines = [f"wit {hashlib.sha256(file.read()).hexdigest()}"] + listing(wasm)
    if "--write" in sys.argv:
        with open(golden, "w", encoding="utf-8") as file:
            file.write("\n".join(lines) + "\n")
        return 0
    with open(golden, encoding="utf-8") as file:
        expected = file.read().splitlines()
    for line in expected:
        if line not in lines:
            print(f"missing: {line}")
    for line in lines:
        if line not in expected:
            print(f"too much: {line}")
    if lines != expected:
        print(f"{wasm} differs from {golden}. If sdk/wit/theater.wit was changed on purpose, see the head of this script.")
    return lines != expected


if __name__ == "__main__":
    sys.exit(main())
