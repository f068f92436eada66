"""`theater run`: spawn, deliver, answer, stop, with everything in the store."""
import signal
import subprocess
import time
import unittest

import house


class Run(house.Case):
    def test_one_answer_a_line_and_a_chain_that_verifies_and_replays(self):
        done = self.theater("run", self.manifest("counter"), "--request", "5", "--request", "37")
        self.assertEqual(done.stdout, "5\n42\n")
        self.assertIn("guest: added", done.stderr)
        chain = self.chain("counter")
        self.assertEqual(chain["status"], "complete")
        self.assertIn(f"theater chain show {chain['actor'][:12]}", done.stderr)
        verified = self.theater_json("chain", "verify", "--require-complete")
        self.assertEqual({each["status"] for each in verified}, {"complete"})
        replayed, = self.theater_json("replay", "counter")
        self.assertEqual(replayed["status"], "same")
        self.assertEqual(replayed["matched"], chain["events"])
        self.assertIsNone(replayed["first_difference"])

    def test_answers_are_escaped_unless_raw(self):
        request = self.folder / "bytes"
        request.write_bytes(b"a\nb\\\x00\xff")
        self.assertEqual(self.theater("run", self.manifest("echo"), "--request", f"@{request}").stdout, "a\\nb\\\\\\x00\\xff\n")
        done = subprocess.run([house.BIN / "theater", "run", self.manifest("echo"), "--request", f"@{request}", "--raw"],
                              cwd=self.folder, env=house.environment(self.folder), capture_output=True, check=True)
        self.assertEqual(done.stdout, b"a\nb\\\x00\xff")

    def test_json_prints_one_object_a_request(self):
        first, second = self.theater_json("run", self.manifest("counter"), "--request", "1", "--request", "x", code=6)
        self.assertEqual(first["response"]["text"], "1")
        self.assertIn("decimal", second["error"])

    def test_an_error_of_the_guest_is_6_and_the_actor_goes_on(self):
        done = self.theater("run", self.manifest("counter"), "--request", "x", "--request", "5", code=6)
        self.assertEqual(done.stdout, "5\n")
        self.assertIn("counter: a request is a decimal number", done.stderr)
        self.assertEqual(self.chain("counter")["status"], "complete")

    def test_burst_leaves_exactly_its_logs(self):
        done = self.theater("run", self.manifest("burst"), "--request", "20000", "--quiet")
        self.assertEqual((done.stdout, done.stderr), ("20000\n", ""))
        logs = [each for each in self.events("burst") if each["type"].endswith("/log")]
        self.assertEqual(len(logs), 20000)

    def test_without_a_request_it_runs_until_ctrl_c_and_stops_cleanly(self):
        for by, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
            with self.subTest(by=by):
                actor = self.start("theater", "run", self.manifest("counter"), "--store", f"store-{code}")
                actor.wait_for("ctrl-C stops it")
                self.assertEqual(actor.stop(by), code)
                self.assertNotIn("error", actor.said())
                done = self.theater("chain", "verify", "--require-complete", "--store", f"store-{code}")
                self.assertIn("complete", done.stdout)

    def test_a_bare_package_says_which_manifest_to_write(self):
        package = house.EXAMPLES / "counter" / "counter.wasm"
        done = self.theater("run", package, code=2)
        self.assertIn("needs a manifest", done.stderr)
        (self.folder / "manifest.toml").write_text(done.stdout + '\ninitial_state = "1"\n')
        (self.folder / "counter.wasm").write_bytes(package.read_bytes())
        # The key stands after a table there, so it is another table's key: the message says where.
        self.assertIn("manifest.toml:", self.theater("run", "manifest.toml", "--request", "1", code=1).stderr)
        (self.folder / "manifest.toml").write_text('initial_state = "1"\n' + done.stdout)
        self.assertEqual(self.theater("run", "manifest.toml", "--request", "1").stdout, "2\n")

    def test_two_runs_of_one_package_are_two_chains(self):
        for _ in range(2):
            self.theater("run", self.manifest("counter"), "--request", "1")
        chains = [each for each in self.theater_json("chain", "list") if each["name"] == "counter"]
        self.assertEqual(len({each["actor"] for each in chains}), 2)


class Moody(house.Case):
    """Guests that end by themselves, well or badly (tests/guests/moody.c)."""

    def run_moody(self, *requests, code=0, more=""):
        handlers = "".join(f'[[handler]]\ntype = "{name}"\n' for name in ("runtime", "timing", "message-server"))
        package = house.GUESTS / "moody.wasm"
        (self.folder / "moody.toml").write_text(f'name = "moody"\npackage = "{package}"\n{handlers}{more}')
        words = [word for request in requests for word in ("--request", request)]
        return self.theater("run", "moody.toml", *words, code=code)

    def last_event(self):
        return self.events("moody")[-1]

    def test_a_trap_is_6_with_its_reason_and_ends_the_actor(self):
        done = self.run_moody("silent", "trap", "silent", code=6)
        self.assertIn("unreachable", done.stderr)
        self.assertEqual(self.last_event()["type"], "WasmError")
        self.assertEqual(self.chain("moody")["status"], "complete")
        self.theater("replay", "moody")

    def test_endless_recursion_is_a_trap(self):
        self.assertIn("stack", self.run_moody("recurse", code=6).stderr)
        self.assertEqual(self.last_event()["type"], "WasmError")

    def test_an_endless_loop_meets_the_call_deadline(self):
        done = self.run_moody("loop", code=6, more='[limits]\ncall_timeout = "500 ms"\n')
        self.assertIn("500 ms", done.stderr)
        self.assertEqual(self.last_event()["type"], "WasmError")

    def test_an_actor_may_end_itself(self):
        self.assertEqual(self.run_moody("shutdown").stdout, "going\n")
        self.assertEqual(self.last_event()["type"], "shutdown")

    def test_no_answer_is_an_empty_line(self):
        self.assertEqual(self.run_moody("silent").stdout, "\n")

    def test_what_a_guest_logs_stays_on_one_line_and_off_the_terminals_controls(self):
        self.assertIn("guest: first\\nsecond\\x1b[31m\n", self.run_moody("log a line break").stderr)


class Interrupted(house.Case):
    def test_the_first_signal_in_a_long_call_ends_it_soon_and_cleanly(self):
        # A call that would go on for as long as the deadline lets it.
        package = house.EXAMPLES / "burst" / "burst.wasm"
        (self.folder / "manifest.toml").write_text(f'''
name = "burst"
package = "{package}"
[[handler]]
type = "runtime"
[[handler]]
type = "message-server"
[limits]
call_timeout = "10 min"
''')
        run = self.start("theater", "run", "manifest.toml", "--request", "200000000", "--quiet")
        house.wait_until(lambda: (self.folder / "theater-data" / "TIP").exists() and self.stored_events() > 1000, "it runs")
        begin = time.monotonic()
        self.assertEqual(run.stop(signal.SIGINT), 130, run.said())
        # One second of grace for the call, and what the machine needs; the call itself takes minutes.
        self.assertLess(time.monotonic() - begin, 20)
        self.theater("chain", "verify", "--require-complete")
        self.assertEqual(self.events("burst", "--from", str(self.stored_events() - 1))[0]["type"], "WasmError")

    def stored_events(self):
        return sum(chain["events"] for chain in self.theater_json("chain", "list") if chain["name"] == "burst")


class BadInput(house.Case):
    def run_manifest(self, text, code=1):
        (self.folder / "manifest.toml").write_text(text)
        return self.theater("run", "manifest.toml", "--request", "1", code=code).stderr

    def test_unknown_key_is_refused_with_line_and_column(self):
        package = house.EXAMPLES / "counter" / "counter.wasm"
        said = self.run_manifest(f'name = "x"\npackage = "{package}"\n  pakage = "y"\n')
        self.assertIn("manifest.toml:3:3", said)
        self.assertIn("pakage", said)

    def test_wrong_type_is_refused_with_its_place(self):
        package = house.EXAMPLES / "counter" / "counter.wasm"
        said = self.run_manifest(f'name = 7\npackage = "{package}"\n')
        self.assertIn("manifest.toml:1:", said)

    def test_missing_package_and_missing_manifest_are_not_found(self):
        self.assertIn("nowhere.wasm", self.run_manifest('name = "x"\npackage = "nowhere.wasm"\n', code=3))
        self.assertIn("nowhere.toml", self.theater("run", "nowhere.toml", code=3).stderr)

    def test_a_package_that_is_no_wasm_is_refused(self):
        (self.folder / "text.wasm").write_text("hello")
        said = self.run_manifest('name = "x"\npackage = "text.wasm"\n')
        self.assertIn("text.wasm: not a WebAssembly module", said)
        (self.folder / "text.wasm").write_bytes(b"\0asm\1\0\0\0nonsense")
        self.assertIn("text.wasm: ", self.run_manifest('name = "x"\npackage = "text.wasm"\n'))
        self.assertIn("text.wasm: ", self.theater("run", "text.wasm", code=1).stderr)

    def test_a_handler_that_is_not_granted_names_the_line_to_add(self):
        package = house.EXAMPLES / "counter" / "counter.wasm"
        said = self.run_manifest(f'name = "x"\npackage = "{package}"\n', code=8)
        self.assertIn('type = "runtime"', said)

    def test_syntax_error_has_its_place(self):
        self.assertIn("manifest.toml:2:", self.run_manifest('name = "x"\npackage = = 1\n'))


if __name__ == "__main__":
    unittest.main()
