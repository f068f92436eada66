#!/usr/bin/env python3
"""Builds theater-auditor by the preset `auditor`, on what might be a machine without Wasmtime: no step may mention it, and
the program must run.

    auditor_alone_test.py SOURCE_FOLDER [COMPILER_LAUNCHER]
"""
import os
import subprocess
import sys


def main():
    root, launcher = sys.argv[1], (sys.argv[2:] + [""])[0]
    folder = os.path.join(root, "build", "auditor")
    # No cargo and no cache: whoever reaches for Wasmtime fails.
    environment = os.environ | {"CARGO": "/nonexistent", "THEATER_CACHE": "/nonexistent", "CCACHE_BASEDIR": root,
                                "CCACHE_NOHASHDIR": "1"}

    def run(*command):
        done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            sys.exit(f"{' '.join(command)} failed:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
        return done.stdout

    run("cmake", "--preset", "auditor", f"-DCMAKE_C_COMPILER_LAUNCHER={launcher}", f"-DCMAKE_CXX_COMPILER_LAUNCHER={launcher}")
    run("cmake", "--build", "--preset", "auditor", "--target", "theater-auditor")
    if "wasmtime" in run("ninja", "-C", folder, "-t", "commands", "theater-auditor"):
        sys.exit("a command of this build mentions wasmtime")
    run(os.path.join(folder, "bin", "theater-auditor"), "--help")
    print("theater-auditor was built without Wasmtime, and runs")


if __name__ == "__main__":
    main()
