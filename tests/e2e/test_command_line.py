"""What every command has in common: help, usage errors, exit codes, keys, contexts, packages."""
import json
import pathlib
import stat
import time
import unittest

import house

NOUNS = {
    "actor": ["spawn", "list", "show", "send", "request", "logs", "stop", "kill"],
    "chain": ["list", "show", "verify", "tail"],
    "evidence": ["list", "show", "export", "check", "compare"],
    "node": ["start", "check", "status"],
    "auditor": ["start", "check"],
    "keys": ["new", "show"],
    "package": ["show"],
    "context": ["add", "select", "list"],
}


class Usage(house.Case):
    def test_arguments_that_are_no_text_are_refused(self):
        self.assertIn("isn't UTF-8", self.theater("actor", "request", "\udcff", "x", code=2).stderr)

    def test_a_negative_number_does_not_wrap(self):
        self.theater("chain", "show", "x", "--to", "-1", code=2)

    def test_every_command_has_help(self):
        top = self.theater("--help").stdout
        for noun, verbs in NOUNS.items():
            self.assertIn(noun, top)
            for verb in verbs:
                self.assertIn("Usage: theater", self.theater(noun, verb, "--help").stdout)
        for command in ("run", "replay", "dump", "version"):
            self.assertIn("Usage: theater", self.theater(command, "--help").stdout)

    def test_usage_errors_are_2_and_name_the_help(self):
        for words in ((), ("nonsense",), ("chain",), ("chain", "show"), ("chain", "list", "--nonsense"), ("replay",),
                      ("chain", "show", "abc", "--from", "x")):
            done = self.theater(*words, code=2)
            self.assertEqual(done.stdout, "")
            self.assertIn("--help", done.stderr)

    def test_arguments_that_cannot_be_what_they_should_are_usage_errors_and_are_named(self):
        for words in (("actor", "list", "--node", "nonsense"), ("actor", "list", "--node", "tcp://host:99999"),
                      ("actor", "list", "--node", "unix:"), ("actor", "list", "--node-key", "tk1zz"),
                      ("actor", "send", "x", "y", "--request-id", "i" * 257),
                      ("actor", "request", "x", "y", "--timeout-ms", "1e3x"),
                      ("chain", "verify", "x", "--expect-head", "zz"), ("chain", "show", "x", "--from", "9" * 30),
                      ("context", "add", "x", "--node", "nonsense"), ("context", "add", "x", "--node-key", "tk1")):
            self.assertIn(words[-2], self.theater(*words, code=2).stderr)
        one = ("subscription", "add", "b", "--data", "tcp://h:1", "--control", "tcp://h:2", "--auditor-key", "b.pub")
        for option, value in (("--window", "-1"), ("--window", "1 KiB"), ("--actors", "bogus"), ("--data", "unix:/x"),
                              ("--data", "tcp://h:0"), ("--control", "tcp://h:99999"), ("--auditor-key", "tk1zz")):
            words = [*one, option, value] if option not in one else [
                value if before == option else word for before, word in zip(("", *one), one)]
            self.assertIn(option, self.theater(*words, code=2).stderr)
        self.assertIn("NAME", self.theater(*("b b" if word == "b" else word for word in one), code=2).stderr)
        self.theater("evidence", "show", "abc", code=2)
        for words in ((), ("--endpoint", "tcp://h:1"), ("--endpoint", "unix:a", "--config", "a.toml")):
            self.theater("auditor", "status", *words, code=2)
        for variable, value in (("THEATER_NODE", "nonsense"), ("THEATER_NODE_KEY", "tk1zz")):
            done = self.run_program("env", f"{variable}={value}", "theater", "actor", "list", code=2)
            self.assertIn(variable, done.stderr)

    def test_a_key_file_that_cannot_be_used_is_told_with_the_setting_that_names_it(self):
        public = self.theater("keys", "new", "node").stdout.strip()
        tcp = ("theater", "actor", "list", "--node", "tcp://127.0.0.1:1")
        done = self.run_program("env", "THEATER_KEY=nonsense", *tcp, "--node-key", public, code=3)
        self.assertIn("THEATER_KEY: ", done.stderr)
        self.assertIn("nonsense", done.stderr)
        done = self.run_program("env", "THEATER_KEY=nonsense", "theater", "run", self.manifest("counter"), code=3)
        self.assertIn("THEATER_KEY: ", done.stderr)
        self.assertIn("--node-key: ", self.run_program(*tcp, "--node-key", "nowhere.pub", code=3).stderr)
        # A file that holds the key does as well as the key: it comes as far as the port where nobody listens.
        begin = time.monotonic()
        done = self.run_program(*tcp, "--node-key", "node.pub", "--key", "node.key", code=7)
        self.assertIn("nobody listens on tcp://127.0.0.1:1", done.stderr)
        self.assertIn("theater context add", done.stderr)
        self.assertLess(time.monotonic() - begin, 20)

    def test_version(self):
        self.assertIn("Wasmtime", self.theater("version").stdout)
        self.assertEqual(json.loads(self.theater("version", "--json").stdout)["event_format"], 1)

    def test_the_auditors_program_has_no_engine_and_no_node(self):
        help_text = self.run_program("theater-auditor", "--help").stdout
        for noun in ("auditor", "chain", "keys", "version"):
            self.assertIn(noun, help_text)
        self.assertIn("engine: none", self.run_program("theater-auditor", "version").stdout)
        for command in ("run", "replay", "actor", "node"):
            self.run_program("theater-auditor", command, code=2)

    def test_a_full_disk_under_stdout_is_an_error(self):
        self.theater("run", self.manifest("counter"), "--request", "1", "--quiet")
        for words in ("version", "--help", "chain list", "chain verify", "chain show counter", "context list --json",
                      f"run {self.manifest('counter')} --request 1"):
            code = 0 if words.startswith("context") else 1  # there it has nothing to print
            done = self.run_program("sh", "-c", f"theater {words} >/dev/full", code=code)
            self.assertEqual("stdout can't be written: No space left on device" in done.stderr, code == 1, done.stderr)


class Keys(house.Case):
    def test_a_new_key_is_secret_and_never_overwritten(self):
        public = self.theater("keys", "new", "a").stdout
        self.assertRegex(public, "^tk1[0-9a-f]{128}\n$")
        self.assertEqual(stat.S_IMODE((self.folder / "a.key").stat().st_mode), 0o600)
        self.assertEqual((self.folder / "a.pub").read_text(), public)
        self.assertEqual(self.theater("keys", "show", "a.key").stdout, public)
        self.theater("keys", "new", "a", code=8)
        self.assertEqual(self.theater("keys", "show", "a.key").stdout, public)

    def test_a_secret_that_others_may_read_is_refused(self):
        self.theater("keys", "new", "a")
        (self.folder / "a.key").chmod(0o640)
        self.assertIn("chmod 600", self.theater("keys", "show", "a.key", code=8).stderr)

    def test_what_is_no_key_is_refused(self):
        (self.folder / "b.key").write_text("hello")
        (self.folder / "b.key").chmod(0o600)
        self.theater("keys", "show", "b.key", code=1)
        self.theater("keys", "show", "nowhere.key", code=3)


class Contexts(house.Case):
    def test_the_first_context_is_selected_and_another_can_be(self):
        self.assertIn("context add", self.theater("context", "list").stderr)
        self.theater("context", "add", "home", "--store", "here")
        self.theater("context", "add", "lab", "--node", "tcp://lab:7400", "--key", "me.key")
        home, lab = self.theater_json("context", "list")
        self.assertEqual((home["selected"], lab["selected"]), (True, False))
        self.theater("context", "select", "lab")
        self.assertIn("* ", self.theater("context", "list").stdout.splitlines()[2])
        self.theater("context", "select", "nowhere", code=3)
        self.theater("context", "add", "lab", code=8)
        self.theater("context", "add", "lab", "--store", "x", "--replace")

    def test_a_damaged_file_is_an_error_with_its_place(self):
        (self.folder / "config").mkdir()
        (self.folder / "config" / "contexts.toml").write_text("selekted = 'x'\n")
        said = self.theater("chain", "list", code=1).stderr
        self.assertIn("contexts.toml:1:1", said)
        self.assertIn("did you mean 'selected'", said)


class Packages(house.Case):
    def test_a_name_is_needed(self):
        self.theater("context", "add", "", code=2)
        self.theater("context", "list")

    def test_show_prints_hash_imports_exports_and_a_manifest(self):
        package = house.EXAMPLES / "counter" / "counter.wasm"
        shown, = [json.loads(self.theater("package", "show", package, "--json").stdout)]
        self.assertIn({"name": "theater:simple/runtime@0.1.0/log", "handler": "runtime"}, shown["imports"])
        self.assertIn("handle-request", str(shown["exports"]))
        self.assertIn('type = "message-server"', shown["manifest"])
        self.assertIn(shown["sha256"], self.theater("package", "show", package).stdout)

    def test_what_is_no_wasm_is_refused(self):
        (self.folder / "text.wasm").write_text("hello")
        self.theater("package", "show", "text.wasm", code=1)
        self.theater("package", "show", "nowhere.wasm", code=3)


class Dump(house.Case):
    GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"

    def test_every_golden_frame_event_and_message_is_told(self):
        messages = sorted(self.GOLDEN.glob("link-*.bin"))
        self.assertEqual(len(messages), 9)
        for file in messages:
            name = file.stem.removeprefix("link-").upper()
            self.assertIn(f"message       {name}\n", self.theater("dump", file).stdout)
        self.assertIn("piece of blob", self.theater("dump", self.GOLDEN / "frame-1.bin").stdout)
        for file in self.GOLDEN.glob("event-*.bin"):
            self.assertIn("hash  ", self.theater("dump", file).stdout)

    def test_a_forged_receipt_is_called_one(self):
        bytes_ = bytearray((self.GOLDEN / "link-receipt.bin").read_bytes())
        bytes_[-1] ^= 1
        (self.folder / "forged").write_bytes(bytes_)
        self.assertIn("NOT the auditor's", self.theater("dump", "forged").stdout)

    def test_what_is_none_of_them_is_refused(self):
        (self.folder / "text").write_text("hello")
        self.theater("dump", "text", code=4)
        self.theater("dump", "nowhere", code=3)


if __name__ == "__main__":
    unittest.main()
