#!/usr/bin/env python3
"""The examples import the host functions they use and nothing of a file system, which the C and C++ libraries like to drag
in behind one's back.

    imports_test.py GUEST.wasm...
"""
import re
import subprocess
import sys


def main():
    failed = False
    for wasm in sys.argv[1:]:
        text = subprocess.run(["wasm-objdump", "-x", wasm], check=True, capture_output=True, text=True).stdout
        imports = re.findall(r" <- (.*)$", text, re.M)
        for name in imports:
            if not name.startswith("theater:simple/"):
                print(f"{wasm} imports {name}")
                failed = True
        if not imports:
            print(f"{wasm} imports nothing at all")
            failed = True
    return failed


if __name__ == "__main__":
    sys.exit(main())
