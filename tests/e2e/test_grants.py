"""What a manifest grants beyond a handler: folders (examples/notes) and variables, secrets among them."""
import unittest

import house


class Notes(house.Case):
    def test_notes_are_files_in_the_granted_folder_and_nowhere_else(self):
        notes = self.folder / "theater-notes"
        notes.mkdir()
        done = self.theater("run", self.manifest("notes"), "--request", "add milk two bottles", "--request", "list",
                            "--request", "show milk", "--request", "show ../house.py", "--request", "show nothing")
        said = done.stdout.splitlines()
        self.assertEqual(said[:3], ["noted", "milk", "two bottles\\n"])
        self.assertIn("'notes/../house.py' is no path", said[3])
        self.assertEqual(said[4], "'notes/nothing' doesn't exist")
        self.assertEqual((notes / "milk").read_text(), "two bottles\n")
        (notes / "milk").unlink()
        notes.rmdir()
        replayed, = self.theater_json("replay", "notes")
        self.assertEqual(replayed["status"], "same", "a replay touches no disk")

    def test_a_folder_that_is_not_there_is_an_error_of_the_call(self):
        done = self.theater("run", self.manifest("notes"), "--request", "list")
        self.assertIn("can't be opened by the node: No such file or directory", done.stdout)


class Variables(house.Case):
    SECRET = "sk-0123456789abcdef"

    def run_with_secret(self):
        (self.folder / "manifest.toml").write_text(
            f'name = "grants"\npackage = "{house.GUESTS / "grants.wasm"}"\n'
            '[[handler]]\ntype = "message-server"\n[[handler]]\ntype = "filesystem"\n[[handler]]\ntype = "store"\n'
            '[[handler]]\ntype = "environment"\nvariables = ["CITY"]\nsecrets = ["API_KEY"]\n')
        done = self.run_program("env", "CITY=Paris", f"API_KEY={self.SECRET}", house.BIN / "theater", "run", "manifest.toml",
                                "--request", "variable CITY", "--request", "variable API_KEY")
        self.assertEqual(done.stdout, f"Paris\n{self.SECRET}\n")

    def test_a_secret_is_nowhere_in_the_store(self):
        self.run_with_secret()
        for file in (self.folder / "theater-data").rglob("*"):
            if file.is_file():
                self.assertNotIn(self.SECRET[4:].encode(), file.read_bytes(), file)
        self.assertNotIn(self.SECRET, self.theater("chain", "show", "grants").stdout)

    def test_a_replay_needs_the_secret_and_takes_it_from_a_file(self):
        self.run_with_secret()
        done = self.theater("replay", "grants", code=1)
        self.assertIn("inconclusive", done.stdout)
        self.assertIn("give the values of API_KEY: theater replay --secret NAME=@FILE", done.stderr)
        (self.folder / "key").write_text(self.SECRET + "\n")
        self.assertIn("same", self.theater("replay", "grants", "--secret", "API_KEY=@key").stdout)
        self.assertIn("same", self.theater("replay", "grants", "--secret", f"API_KEY={self.SECRET}").stdout)
        self.assertIn("isn't all that it was", self.theater("replay", "grants", "--secret", "API_KEY=something else",
                                                            code=1).stderr)
        self.assertIn("grants no secret 'CITY'", self.theater("replay", "grants", "--secret", "CITY=Paris, France",
                                                              code=1).stderr)
        wrong = self.theater("replay", "grants", "--secret", self.SECRET, code=1)
        self.assertNotIn(self.SECRET, wrong.stderr, "what may be a secret isn't repeated")


class Store(house.Case):
    def test_content_outlives_the_node_at_its_auditor(self):
        (self.folder / "manifest.toml").write_text(
            f'name = "grants"\npackage = "{house.GUESTS / "grants.wasm"}"\n'
            + "".join(f'[[handler]]\ntype = "{each}"\n' for each in ("message-server", "filesystem", "environment", "store")))
        large = "x" * 200_000
        (self.folder / "large").write_text(f"put {large}")
        put = self.theater("run", "manifest.toml", "--request", "put small", "--request", "@large")
        small_hash, large_hash = put.stdout.split()
        # Another node, whose memory holds nothing: its auditor has the store of the first one's.
        got = self.theater("run", "manifest.toml", "--request", f"get {small_hash}", "--request", f"get {large_hash}",
                           "--request", f"get {'0' * 64}", "--request", f"exists {small_hash}")
        self.assertEqual(got.stdout.split("\n"), ["small", large, "(none)", "yes", ""])
        for chain in self.theater_json("chain", "list"):
            if chain["name"] == "grants":
                replayed, = self.theater_json("replay", chain["actor"])
                self.assertEqual(replayed["status"], "same")


if __name__ == "__main__":
    unittest.main()
