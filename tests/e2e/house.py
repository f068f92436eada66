"""What every end-to-end test needs: the built programs, an empty folder to run them in, and daemons that end with the test.

Tests run the programs as a person would: by name, with text in and text out. Waiting is always for a condition, with a
limit that only a hang reaches.
"""
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BUILD = pathlib.Path(os.environ["THEATER_BUILD_DIR"])
BIN = BUILD / "bin"
EXAMPLES = BUILD / "examples"
GUESTS = BUILD / "tests" / "guests"
LIMIT_S = 60


def environment(folder):
    """No context, no setting and no colour of whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("THEATER_")}
    return kept | {
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(folder),
        "THEATER_CONFIG_DIR": str(folder / "config"),
        "NO_COLOR": "1",
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition, what, limit_s=LIMIT_S):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"{what}: not within {limit_s} s")


class Daemon:
    """A program that runs until it is told to stop. What it says on stderr is kept."""

    def __init__(self, folder, *words, within=(), more_environment=None):
        """`within` are the words of a program that becomes this one, such as nsenter."""
        self.words = words = [str(word) for word in words]
        self.log = tempfile.NamedTemporaryFile("w+", dir=folder, prefix=f"{words[1]}-", suffix=".log", delete=False)
        self.process = subprocess.Popen([*within, *words], cwd=folder, stdin=subprocess.DEVNULL,
                                        env=environment(folder) | (more_environment or {}),
                                        stdout=subprocess.DEVNULL, stderr=self.log)

    def said(self):
        return pathlib.Path(self.log.name).read_text(errors="replace")

    def wait_for(self, text, limit_s=LIMIT_S):
        def look():
            if self.process.poll() is not None and text not in self.said():
                raise AssertionError(f"{' '.join(self.words)} ended with {self.process.returncode}:\n{self.said()}")
            return text in self.said()

        try:
            wait_until(look, f"{' '.join(self.words)} says '{text}'", limit_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.said()}") from None
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, by=signal.SIGTERM):
        """The exit code after a clean stop."""
        if self.process.poll() is None:
            self.process.send_signal(by)
        return self.process.wait(LIMIT_S)


class Case(unittest.TestCase):
    """A test with an empty folder of its own."""

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="theater-e2e-"))
        self.daemons = []
        self.addCleanup(self.tidy)

    def skip(self, why):
        """What CMakeLists.txt looks for, so that ctest counts the test as skipped."""
        print(f"skipped: {why}")
        self.skipTest(why)

    def tidy(self):
        for daemon in self.daemons:
            daemon.kill()
            daemon.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, *words, **more):
        daemon = Daemon(self.folder, *words, **more)
        self.daemons.append(daemon)
        return daemon

    def run_program(self, *words, code=0, limit_s=LIMIT_S, **more):
        """Runs to the end and checks the exit code. Has stdout and stderr as text."""
        done = subprocess.run([str(word) for word in words], cwd=self.folder, env=environment(self.folder),
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=limit_s, **more)
        done.stdout = done.stdout.decode(errors="backslashreplace")
        done.stderr = done.stderr.decode(errors="backslashreplace")
        shown = f"{' '.join(map(str, words))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}"
        self.assertEqual(done.returncode, code, shown)
        return done

    def theater(self, *words, **more):
        return self.run_program("theater", *words, **more)

    def theater_json(self, *words, **more):
        """The objects that a command with --json prints."""
        done = self.theater(*words, "--json", **more)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def manifest(self, name):
        return EXAMPLES / name / "manifest.toml"

    def chain(self, name, **more):
        """The one chain of that name in the store."""
        found = [chain for chain in self.theater_json("chain", "list", **more) if chain["name"] == name]
        self.assertEqual(len(found), 1, found)
        return found[0]

    def events(self, actor, *more):
        return self.theater_json("chain", "show", actor, *more)


class Pair:
    """A node and an auditor, with keys of their own, as two processes."""

    def __init__(self, case, window="8 MiB", auditor_window="8 MiB"):
        self.case = case
        self.folder = case.folder
        for who in ("node", "auditor"):
            case.theater("keys", "new", f"keys/{who}")
        self.data, self.control = (f"tcp://127.0.0.1:{free_port()}" for _ in range(2))
        self.authorize("node", self.public_key("node"))
        self.write("auditor.toml", f"""
store = "store"
key = "keys/auditor.key"
data = "{self.data}"
control = "{self.control}"
authorized_keys = "keys/nodes"
window = "{auditor_window}"
""")
        self.write_node(self.public_key("auditor"), window)

    def public_key(self, who):
        return (self.folder / "keys" / f"{who}.pub").read_text().strip()

    def write(self, name, text):
        (self.folder / name).write_text(text.lstrip())

    def write_node(self, auditor_key, window="8 MiB"):
        self.write("node.toml", f"""
name = "node-a"
key = "keys/node.key"
control = "unix:node.sock"
stop_grace = "5 s"

[[auditor]]
name = "auditor-a"
data = "{self.data}"
control = "{self.control}"
key = "{auditor_key}"
window = "{window}"
""")

    def authorize(self, role, key):
        (self.folder / "keys" / "nodes").write_text(f"{role} {key} node-a\n")

    def start_auditor(self, **more):
        self.auditor = self.case.start("theater-auditor", "auditor", "start", "--config", "auditor.toml", **more)
        return self.auditor.wait_for("ready")

    def start_node(self, **more):
        self.node = self.case.start("theater", "node", "start", "--config", "node.toml", **more)
        return self.node.wait_for("ready")

    def start(self):
        self.start_auditor()
        self.start_node()
        return self

    def actor(self, *words, **more):
        return self.case.theater("actor", *words, "--node", "unix:node.sock", **more)

    def actor_json(self, *words, **more):
        return self.case.theater_json("actor", *words, "--node", "unix:node.sock", **more)

    def spawn(self, name):
        return self.actor("spawn", self.case.manifest(name)).stdout.strip()

    def stop(self):
        """Ends both, cleanly: the node first."""
        self.case.assertEqual(self.node.stop(), 143, self.node.said())
        self.case.assertEqual(self.auditor.stop(), 143, self.auditor.said())
