"""The auditor is killed twenty times in the middle of a burst, and nothing is lost and nothing doubled."""
import signal
import subprocess
import threading
import unittest

import house

KILLS = 20
UNACKNOWLEDGED = 1 << 20
BURST = 20_000


class Bursts(threading.Thread):
    """Asks for one burst after the other until it is told to stop; counts what the actor says it logged."""

    def __init__(self, pair):
        super().__init__()
        self.pair = pair
        self.enough = threading.Event()
        self.logged = 0
        self.failure = None

    def run(self):
        try:
            while not self.enough.is_set():
                done = self.pair.actor("request", "burst", str(BURST), "--timeout-ms", "120000", limit_s=180)
                self.logged += int(done.stdout)
        except Exception as error:  # shown by the test, which is in another thread
            self.failure = error


class AuditorKilled(house.Case):
    def test_twenty_times(self):
        pair = house.Pair(self, window="4 MiB").start()
        pair.spawn("burst")
        bursts = Bursts(pair)
        bursts.start()
        try:
            for _ in range(KILLS):
                # Stopped first, so that what isn't acknowledged grows to what this test is about.
                pair.auditor.process.send_signal(signal.SIGSTOP)
                house.wait_until(lambda: self.unacknowledged(pair, bursts) >= UNACKNOWLEDGED, "1 MiB unacknowledged")
                pair.auditor.kill()
                before = self.durable_events(pair)
                pair.start_auditor()
                house.wait_until(lambda: self.durable_events(pair) > before, "the auditor goes on where it was")
        finally:
            bursts.enough.set()
            bursts.join()
        self.assertIsNone(bursts.failure)
        pair.stop()

        self.theater("chain", "verify", "--require-complete", "--store", "store", limit_s=180)
        shown = subprocess.Popen(["theater", "chain", "show", "burst", "--whole", "--store", "store"], cwd=self.folder,
                                 env=house.environment(self.folder), stdout=subprocess.PIPE, text=True)
        with shown.stdout:
            logs = sum("theater:simple/runtime@0.1.0/log" in line for line in shown.stdout)
        self.assertEqual(shown.wait(house.LIMIT_S), 0)
        self.assertEqual(logs, bursts.logged)

    def auditor_of(self, pair):
        auditor, = self.theater_json("node", "status", "--node", "unix:node.sock")
        return auditor

    def unacknowledged(self, pair, bursts):
        self.assertIsNone(bursts.failure)
        return self.auditor_of(pair)["unacknowledged_bytes"]

    def durable_events(self, pair):
        return self.auditor_of(pair)["durable_events"]


if __name__ == "__main__":
    unittest.main()
