"""What the world sees of a gated actor is on record; what it does without is its auditor's to say."""
import signal
import time
import unittest

import house

GATED = '[audit]\neffects = "gated"'


class Gate(house.Case):
    def gated(self, name):
        """A manifest beside the example's own, with gated effects and another name."""
        text = self.manifest(name).read_text().replace("[audit]", GATED)
        package = self.manifest(name).parent / f"{name}.wasm"
        lines = [line for line in text.splitlines() if not line.startswith(("name", "package"))]
        path = self.folder / f"{name}-gated.toml"
        path.write_text(f'name = "{name}-gated"\npackage = "{package}"\n' + "\n".join(lines))
        return path

    def start_pair(self):
        pair = house.Pair(self).start()
        pair.spawn("counter")
        pair.actor("spawn", self.gated("counter"))
        return pair

    def test_with_its_auditor_stopped_a_gated_request_gets_no_answer_and_an_ungated_one_does(self):
        pair = self.start_pair()
        pair.auditor.process.send_signal(signal.SIGSTOP)
        self.assertEqual(pair.actor("request", "counter", "5", "--timeout-ms", "5000").stdout, "5\n")
        began = time.monotonic()
        pair.actor("request", "counter-gated", "5", "--timeout-ms", "5000", code=7)
        self.assertGreaterEqual(time.monotonic() - began, 5)
        pair.auditor.process.send_signal(signal.SIGCONT)
        # What was held too long is gone for good, on record, and counted; what comes now is answered.
        self.assertEqual(pair.actor("request", "counter-gated", "2").stdout, "7\n")
        shown, = pair.actor_json("show", "counter-gated")
        self.assertEqual((shown["effects"], shown["discarded"], shown["released"]), ("gated", 1, 1))
        pair.stop()
        self.theater("chain", "verify", "--require-complete", "--store", "store")
        discarded = [event for event in self.theater_json("chain", "show", "counter-gated", "--store", "store")
                     if event["type"] == "audit/answer-discarded"]
        self.assertEqual(len(discarded), 1)
        self.theater("replay", "counter-gated", "--store", "store")

    def test_a_node_killed_before_the_acknowledgement_has_answered_nobody(self):
        pair = self.start_pair()
        pair.auditor.process.send_signal(signal.SIGSTOP)
        client = self.start("theater", "actor", "request", "counter-gated", "5", "--node", "unix:node.sock")
        house.wait_until(lambda: pair.actor_json("show", "counter-gated")[0]["held"] == 1, "the answer is held")
        pair.node.kill()
        self.assertNotEqual(client.process.wait(house.LIMIT_S), 0)
        pair.auditor.process.send_signal(signal.SIGCONT)
        pair.start_node()
        house.wait_until(lambda: "connected" in pair.auditor.said(), "the auditor goes on")
        pair.node.stop()
        pair.auditor.stop()
        self.theater("chain", "verify", "--store", "store")

    def test_a_gated_actor_waits_for_its_cause_too(self):
        """An ungated actor runs ahead of the auditor; the gated one that answers after it isn't answered before it is safe."""
        pair = self.start_pair()
        pair.auditor.process.send_signal(signal.SIGSTOP)
        for _ in range(20):
            pair.actor("request", "counter", "1")
        client = self.start("theater", "actor", "request", "counter-gated", "5", "--node", "unix:node.sock")
        house.wait_until(lambda: pair.actor_json("show", "counter-gated")[0]["held"] == 1, "the answer is held")
        self.assertIsNone(client.process.poll())
        pair.auditor.process.send_signal(signal.SIGCONT)
        self.assertEqual(client.process.wait(house.LIMIT_S), 0)
        # Everything before the answer is on the disk at that moment, the other actor's events, too.
        pair.auditor.kill()
        pair.node.kill()
        events = self.events("counter", "--store", "store")
        results = [event for event in events if event["type"].endswith("handle-request")]
        self.assertGreaterEqual(len(results), 40)
        pair.auditor = None

    def test_one_noisy_actor_stalls_itself_only(self):
        pair = house.Pair(self, window="1 MiB").start()
        pair.spawn("counter")
        pair.spawn("burst")
        pair.auditor.process.send_signal(signal.SIGSTOP)
        self.start("theater", "actor", "request", "burst", "1000000", "--node", "unix:node.sock")

        def waits():
            shown, = pair.actor_json("show", "burst")
            return shown["waits_for"].startswith("auditor")

        house.wait_until(waits, "the noisy actor waits for the auditor")
        for number in range(1, 21):
            self.assertEqual(pair.actor("request", "counter", "1").stdout, f"{number}\n")
        self.assertTrue(waits())
        pair.auditor.process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    unittest.main()
