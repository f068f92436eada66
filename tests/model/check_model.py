#!/usr/bin/env python3
"""Checks a Promela model with Spin: as it stands, no error in any state; as each of its mutants, at least one.

    check_model.py MODEL.pml SPIN CC

The mutants are the model's own `#define NAME number` lines before `#ifndef MUTANT`. A model with an `ltl` line is
searched for cycles under weak fairness, too. Exit 0: as it should be; 1: not.
"""
import os
import re
import subprocess
import sys
import tempfile

DEPTH = 1_000_000  # steps; a search that meets the bound proves nothing, and fails


def run(command, folder):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def search(model, spin, cc, mutant, is_live):
    """The number of errors, and Spin's report."""
    with tempfile.TemporaryDirectory() as folder:
        run([spin, f"-DMUTANT={mutant}", "-a", model], folder)
        options = ["-DNFAIR=3"] if is_live else ["-DSAFETY"]
        run([cc, "-O2", "-w", *options, "-o", "pan", "pan.c"], folder)
        report = run(["./pan", f"-m{DEPTH}", *(["-a", "-f"] if is_live else [])], folder)
    errors = re.search(r"errors: (\d+)", report)
    if errors is None or "max search depth too small" in report or "out of memory" in report:
        sys.exit(f"mutant {mutant}: the search wasn't complete\n{report}")
    return int(errors[1]), report


def main():
    model, spin, cc = os.path.abspath(sys.argv[1]), sys.argv[2], sys.argv[3]
    with open(model, encoding="utf-8") as file:
        text = file.read()
    mutants = re.findall(r"^#define (\w+) (\d+)\b", text[: text.index("#ifndef MUTANT")], re.MULTILINE)
    mutants = mutants[[name for name, _ in mutants].index("NONE") :]
    is_live = re.search(r"^ltl ", text, re.MULTILINE) is not None
    failed = False
    for name, number in mutants:
        errors, report = search(model, spin, cc, number, is_live)
        as_it_should_be = (errors == 0) == (name == "NONE")
        failed |= not as_it_should_be
        states = re.search(r"(\d\S*) states, stored", report)[1]
        print(f"{name}: {states} states, errors: {errors}{'' if as_it_should_be else ' - NOT AS IT SHOULD BE'}")
        if not as_it_should_be:
            print(report)
    sys.exit(1 if failed else 0)


main()
