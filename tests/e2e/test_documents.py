"""README and quickstart do what they show.

Blocks fenced as ```console are run in order, each document in an empty folder of its own, with the built programs on PATH and
the build folder at build/release. A line that begins with `$ ` is a command, `> ` continues it, and what follows is what it
prints, on stdout and stderr together. `…` in a printed line stands for any text, and alone on a line for any lines: ids, times
and the like differ each time. A command that ends with ` &` is left running until the document ends. A command may fail;
then its last printed line is the exit code: `[exit code 4]`.
"""
import os
import pathlib
import re
import signal
import subprocess
import unittest

import house

ROOT = pathlib.Path(__file__).resolve().parents[2]


def commands_of(text):
    """(line number, command, expected lines) of each command in the console blocks."""
    found = []
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("```"):
            inside = line.strip() == "```console"
        elif not inside:
            continue
        elif line.startswith("$ "):
            found.append((number, line[2:], []))
        elif (line + " ").startswith("> ") and found and not found[-1][2]:
            found[-1] = (found[-1][0], found[-1][1] + "\n" + line[2:], [])
        elif found:
            found[-1][2].append(line)
    for _, _, expected in found:
        while expected and not expected[-1]:
            expected.pop()  # blank lines between commands are for the reader
    return found


def pattern_of(lines):
    """A regular expression for what `lines` stand for."""
    out = ""
    for line in lines:
        out += r"(.*\n)*?" if line == "…" else "[^\\n]*?".join(map(re.escape, line.split("…"))) + r" *\n"
    return re.compile(out)


class Documents(house.Case):
    def check(self, name):
        (self.folder / "build").mkdir()
        (self.folder / "build" / "release").symlink_to(house.BUILD)
        text = (ROOT / name).read_text()
        for port in ("7401", "7402"):  # whatever else listens on this machine
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{house.free_port()}")
        commands = commands_of(text)
        self.assertTrue(commands, f"{name} has no console block")
        for number, command, expected in commands:
            with self.subTest(f"{name}:{number}: {command}"):
                self.check_command(command, expected)

    def check_command(self, command, expected):
        if command.endswith(" &"):
            self.leave_running(command[:-2])
            return
        done = subprocess.run(["bash", "-c", command], cwd=self.folder, env=house.environment(self.folder),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=house.LIMIT_S)
        printed = done.stdout.decode(errors="backslashreplace")
        if done.returncode != 0:
            printed += f"[exit code {done.returncode}]\n"
        shown = "".join(line + "\n" for line in expected)
        self.assertTrue(pattern_of(expected).fullmatch(printed), f"it shows:\n{shown}\nit prints:\n{printed}")

    def leave_running(self, command):
        process = subprocess.Popen(["bash", "-c", f"exec {command}"], cwd=self.folder,
                                   env=house.environment(self.folder), stdin=subprocess.DEVNULL,
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (process.poll() is None and os.kill(process.pid, signal.SIGKILL), process.wait()))

    def test_readme(self):
        self.check("README.md")

    def test_notes(self):
        self.check("examples/notes/README.md")

    def test_quickstart(self):
        self.check("docs/quickstart.md")


class Rules(unittest.TestCase):
    def test_masks(self):
        self.assertTrue(pattern_of(["actor …  kept"]).fullmatch("actor 3fa  kept\n"))
        self.assertFalse(pattern_of(["actor …  kept"]).fullmatch("actor 3fa  lost\n"))
        self.assertTrue(pattern_of(["a", "…", "b"]).fullmatch("a\nx\ny\nb\n"))
        self.assertFalse(pattern_of(["a"]).fullmatch("a\nb\n"))

    def test_commands(self):
        text = "x\n```console\n$ one \\\n>\n> two\nout\n\n$ three\n```\n```sh\n$ no\n```\n"
        self.assertEqual(commands_of(text), [(3, "one \\\n\ntwo", ["out"]), (8, "three", [])])


if __name__ == "__main__":
    unittest.main()
