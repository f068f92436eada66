#!/usr/bin/env python3
"""Holds the source tree to rules.py: include directions, homes of third-party libraries, lengths, headers that say why they
exist, and a map in ARCHITECTURE.md that lists the folders there are. Prints each violation as FILE:LINE: what, and exits
with 1 if there is one.

    check_structure.py [ROOT]
"""
import fnmatch
import pathlib
import re
import sys

import rules

SUFFIXES = {".h", ".cc", ".c"}
NOT_OURS = {"build", "theater-data"}  # beside everything that starts with a dot
INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')
# A row of a table or an item of a list that starts with a folder's name: | `base/` | …, - `base/`: …
MAP_LINE = re.compile(r"^\s*[|*-]\s*\**`([\w.-]+)/`")
# A line of a drawn tree, in a code block: base/   what lives there
TREE_LINE = re.compile(r"^[\s│├└─]*([\w-]+)/(\s{2,}\S.*)?$")


def folders_of(root):
    """Top-level folders with at least one file in them."""
    found = []
    for entry in sorted(root.iterdir()):
        if entry.is_dir() and not entry.name.startswith(".") and entry.name not in NOT_OURS:
            if any(path.is_file() for path in entry.rglob("*")):
                found.append(entry.name)
    return found


def is_guest(path):
    """Guests are compiled for WebAssembly and see sdk/c only. In tests/, C is a guest and C++ is a test."""
    if path.parts[0] in ("sdk", "examples") or path.parts[:2] == ("tests", "guests"):
        return True
    return path.parts[0] == rules.TESTS and path.suffix == ".c"


def check_quoted_include(path, included, root):
    """A sentence, or None if `path` may include "included"."""
    own = path.parts[0]
    target = included.split("/")[0]
    if is_guest(path):
        return None
    if "/" not in included:
        return f'"{included}": includes are written from the root, as "folder/file.h"'
    if target not in rules.FOLDERS and target != rules.TESTS:
        return f'"{included}": there is no folder {target}/ to include from'
    if not included.endswith(".capnp.h") and not (root / included).is_file():
        return f'"{included}" does not exist'
    if own == rules.TESTS or target == own:
        return None
    if own not in rules.FOLDERS:
        return f"{own}/ is not in FOLDERS of tests/structure/rules.py"
    if target not in rules.FOLDERS[own]:
        allowed = ", ".join(rules.FOLDERS[own]) or "nothing"
        return f'"{included}": {own}/ may include {allowed} and itself, not {target}/'
    return None


def check_library(path, included):
    """A sentence, or None if `path` may use the library whose header `included` is."""
    for library, pattern, homes in rules.THIRD_PARTY:
        if re.fullmatch(pattern, included):
            if any(fnmatch.fnmatch(str(path), home) for home in homes):
                return None
            return f"{library} stays in {', '.join(homes) or 'no file yet'}: <{included}> doesn't belong here"
    return None


def check_angle_include(path, included):
    if re.fullmatch(r"[a-z_]+", included) or re.fullmatch(rules.PLATFORM, included):
        return None
    if any(re.fullmatch(pattern, included) for _, pattern, _ in rules.THIRD_PARTY):
        return check_library(path, included)
    if is_guest(path):
        return None
    return f"<{included}> is neither in PLATFORM nor in THIRD_PARTY of tests/structure/rules.py"


def check_file(root, path):
    """Yields (line, sentence) for each violation in one source file."""
    text = (root / path).read_text(encoding="utf-8")
    lines = text.splitlines()
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        quoted, angled = match.groups()
        if quoted:
            problem = check_quoted_include(path, quoted, root) or check_library(path, quoted)
        else:
            problem = check_angle_include(path, angled)
        if problem:
            yield number, problem

    if path.suffix == ".h" and not text.startswith("// "):
        yield 1, "a header opens with a comment that says why it exists and what it promises"
    if path.suffix == ".h" and "#pragma once" not in text and path.parts[0] != "sdk":
        yield 1, "#pragma once is missing"

    longest = rules.LINES_KNOWN.get(str(path), rules.LINES_MAX)
    if len(lines) > longest:
        yield longest + 1, f"{len(lines)} lines, at most {longest}: does this file have two jobs?"


def check_map(root):
    """Yields (line, sentence) where ARCHITECTURE.md's map of folders and the folders differ."""
    mapped = {}
    in_block = False
    for number, line in enumerate((root / "ARCHITECTURE.md").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("```"):
            in_block = not in_block
        match = (TREE_LINE if in_block or line.startswith("    ") else MAP_LINE).match(line)
        if match:
            mapped.setdefault(match.group(1), number)
    present = folders_of(root)
    nested = {path.name for folder in present for path in (root / folder).rglob("*") if path.is_dir()}
    for folder in present:
        if folder not in mapped:
            yield 1, f"the map of folders doesn't list {folder}/"
    for folder, number in mapped.items():
        if folder not in present and folder not in nested:
            yield number, f"the map lists {folder}/, which doesn't exist"


def violations(root):
    """All of them, as 'FILE:LINE: sentence', and the number of files that were read."""
    found = []
    files = 0
    for folder in folders_of(root):
        for full in sorted((root / folder).rglob("*")):
            if full.suffix not in SUFFIXES or not full.is_file():
                continue
            files += 1
            path = full.relative_to(root)
            found += [f"{path}:{line}: {problem}" for line, problem in check_file(root, path)]
    if (root / "ARCHITECTURE.md").is_file():
        found += [f"ARCHITECTURE.md:{line}: {problem}" for line, problem in check_map(root)]
    return found, files


def main():
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    found, files = violations(root)
    print("\n".join(found) if found else f"{files} files, no violation")
    return 1 if found or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
