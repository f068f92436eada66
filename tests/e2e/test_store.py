"""What `chain` and `replay` say about good, bad and foreign stores."""
import json
import pathlib
import shutil
import subprocess
import unittest

import house

GOLDEN = pathlib.Path(__file__).resolve().parents[1] / "golden"
LOG = b"burst: sixty-four bytes of log text, the same ones in every call"


def flip(path, at):
    """Turns one bit of one byte."""
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def places_of(store, text):
    """(file, offset) of each place where `text` stands in the store's files."""
    found = []
    for path in sorted(store.iterdir()):
        content = path.read_bytes() if path.is_file() else b""
        at = content.find(text)
        while at >= 0:
            found.append((path, at))
            at = content.find(text, at + 1)
    return found


class Chain(house.Case):
    def setUp(self):
        super().setUp()
        self.theater("run", self.manifest("burst"), "--request", "50", "--quiet")
        self.actor = self.chain("burst")["actor"]

    def test_chains_are_named_by_prefix_and_name(self):
        by_name = self.events("burst")
        self.assertEqual(by_name, self.events(self.actor))
        self.assertEqual(by_name, self.events(self.actor[:6]))
        self.assertIn("theater chain list", self.theater("chain", "show", "nobody", code=3).stderr)

    def test_a_good_store_holds_no_evidence(self):
        self.assertIn("no evidence", self.theater("evidence", "list").stderr)
        self.assertEqual(self.theater_json("evidence", "list"), [])
        self.assertIn("no evidence number 1;", self.theater("evidence", "show", "1", code=3).stderr)
        self.assertIn("no evidence number 1;", self.theater("evidence", "export", "1", "--out", "x", code=3).stderr)

    def test_a_file_of_evidence_is_checked_without_a_store(self):
        proof = self.folder / "proof"
        shutil.copy(GOLDEN / "evidence-equivocation.bin", proof)
        shutil.rmtree(self.folder / "theater-data")
        self.assertIn("two different events 1", self.theater("evidence", "check", "proof").stdout)
        said = self.theater_json("evidence", "check", "proof")[0]
        self.assertEqual((said["kind"], said["outcome"], len(said["events"])), ("equivocation", "proved", 2))
        flip(proof, 0x60)
        self.assertIn("aren't among the items", self.theater("evidence", "check", "proof", code=4).stderr)

    def test_a_store_does_not_differ_from_its_copy(self):
        shutil.copytree(self.folder / "theater-data", self.folder / "copy")
        self.assertIn("no chain differs", self.theater("evidence", "compare", "theater-data", "copy").stderr)

    def test_show_prints_a_range_one_event_a_line(self):
        events = self.events("burst")
        self.assertEqual([each["sequence"] for each in events], list(range(len(events))))
        self.assertEqual([each["sequence"] for each in self.events("burst", "--from", "3", "--to", "5")], [3, 4, 5])
        lines = self.theater("chain", "show", "burst").stdout.splitlines()
        self.assertEqual(len(lines), len(events))
        self.assertIn(LOG.decode(), "\n".join(lines))

    def test_tail_prints_the_last_events_and_ends_with_the_chain(self):
        lines = self.theater("chain", "tail", "burst", "-n", "2").stdout.splitlines()
        self.assertEqual(len(lines), 2)
        self.assertIn("shutdown", lines[1])

    def test_verify_says_what_it_found(self):
        report, = self.theater_json("chain", "verify", "burst")
        self.assertEqual(report["actor"], self.actor)
        self.assertEqual(report["status"], "complete")
        self.assertEqual(report["events"], len(self.events("burst")))
        self.assertEqual(report["head"], self.events("burst")[-1]["hash"])

    def test_expected_head(self):
        head = self.events("burst")[-1]["hash"]
        self.theater("chain", "verify", "burst", "--expect-head", head)
        earlier = self.events("burst")[7]["hash"]
        self.assertIn("event 7", self.theater("chain", "verify", "burst", "--expect-head", earlier, code=4).stderr)
        self.theater("chain", "verify", "burst", "--expect-head", "00" * 32, code=4)
        self.theater("chain", "verify", "--expect-head", head, code=2)
        self.assertIn("64", self.theater("chain", "verify", "burst", "--expect-head", "zz", code=2).stderr)

    def test_a_flipped_byte_of_an_event_is_found(self):
        path, at = places_of(self.folder / "theater-data", LOG[:20])[0]
        flip(path, at + 3)
        done = self.theater("chain", "verify", "--json", code=4)
        broken = [each for each in map(json.loads, done.stdout.splitlines()) if each["status"] == "broken"]
        self.assertIn(self.actor, [each["actor"] for each in broken])
        for each in broken:
            self.assertIn("sequence", each)
            self.assertTrue(each["reason"])
        flip(path, at + 3)
        self.theater("chain", "verify", "--require-complete")

    def test_a_flipped_byte_anywhere_is_found_or_changes_nothing(self):
        intact = self.theater("chain", "verify", "--json").stdout
        for path in sorted((self.folder / "theater-data").iterdir()):
            size = path.stat().st_size
            for at in range(0, size, max(1, size // 5)):
                with self.subTest(path=path.name, at=at):
                    flip(path, at)
                    done = subprocess.run(["theater", "chain", "verify", "--json"], cwd=self.folder,
                                          env=house.environment(self.folder), capture_output=True, text=True)
                    if done.returncode == 0:
                        self.assertEqual(done.stdout, intact)
                    else:
                        self.assertEqual(done.returncode, 4, done.stderr)
                        self.assertTrue(done.stdout + done.stderr)
                    flip(path, at)

    def test_a_store_cut_short_is_found(self):
        path, at = places_of(self.folder / "theater-data", LOG[:20])[0]
        path.write_bytes(path.read_bytes()[:at])
        self.theater("chain", "verify", "--require-complete", code=4)

    def test_replay_needs_nothing_but_the_store(self):
        elsewhere = self.folder / "elsewhere"
        shutil.copytree(self.folder / "theater-data", elsewhere / "copy")
        shutil.rmtree(self.folder / "theater-data")
        replayed, = self.theater_json("replay", "burst", "--store", elsewhere / "copy")
        self.assertEqual(replayed["status"], "same")
        self.assertGreaterEqual(replayed["host_calls"], 50)

    def test_replay_stops_where_it_is_told(self):
        replayed, = self.theater_json("replay", "burst", "--to", "20")
        self.assertEqual((replayed["status"], replayed["events"], replayed["matched"]), ("same", 21, 21))

    def test_another_version_diverges_where_its_log_differs(self):
        package = (house.EXAMPLES / "burst" / "burst.wasm").read_bytes()
        self.assertEqual(package.count(LOG), 1)
        other = self.folder / "other.wasm"
        other.write_bytes(package.replace(LOG, LOG.replace(b"sixty", b"sixtz")))
        first = next(each["sequence"] for each in self.events("burst") if each["type"].endswith("/log"))
        done, = self.theater_json("replay", "burst", "--package", other, code=5)
        self.assertEqual(done["status"], "diverged")
        self.assertEqual(done["first_difference"]["sequence"], first)
        self.assertEqual(done["matched"], first)
        self.assertIn("sixtz", done["first_difference"]["replayed"])
        same = self.folder / "same.wasm"
        same.write_bytes(package)
        self.theater("replay", "burst", "--package", same)


class Stores(house.Case):
    def test_a_missing_store_is_not_found_and_says_how_one_is_made(self):
        for words in (("chain", "list"), ("chain", "verify"), ("replay", "x"), ("chain", "tail")):
            self.assertIn("theater run", self.theater(*words, code=3).stderr)

    def test_a_store_in_use_names_its_holder(self):
        holder = self.start("theater", "run", self.manifest("counter"))
        holder.wait_for("ctrl-C stops it")
        done = self.theater("run", self.manifest("counter"), "--request", "1", code=8)
        self.assertIn(str(holder.process.pid), done.stderr)
        # Reading goes on beside it.
        self.assertEqual(self.chain("counter")["status"], "open")
        done = self.theater("chain", "verify")
        self.assertIn("is open", done.stderr)
        self.theater("chain", "verify", "--require-complete", code=4)

    def test_a_folder_that_is_no_store_is_left_alone(self):
        (self.folder / "papers").mkdir()
        (self.folder / "papers" / "letter").write_text("dear")
        self.theater("chain", "list", "--store", "papers", code=3)
        self.assertEqual([path.name for path in (self.folder / "papers").iterdir()], ["letter"])

    def test_the_store_is_found_by_flag_environment_and_context(self):
        self.theater("run", self.manifest("counter"), "--request", "1", "--store", "here")
        self.theater("chain", "list", code=3)
        self.assertIn("counter", self.theater("chain", "list", "--store", "here").stdout)
        self.theater("context", "add", "lab", "--store", self.folder / "here")
        self.assertIn("counter", self.theater("chain", "list").stdout)
        env = house.environment(self.folder) | {"THEATER_STORE": "nowhere"}
        done = subprocess.run(["theater", "chain", "list"], cwd=self.folder, env=env, capture_output=True)
        self.assertEqual(done.returncode, 3)


if __name__ == "__main__":
    unittest.main()
