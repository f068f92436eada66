"""The auditor's disk is full: it says so, acknowledges nothing that isn't there, and goes on by itself once there is room."""
import contextlib
import os
import subprocess
import threading
import time
import unittest

import house
import ledger

DISK = "48m"
FULL_S = 5


class Filler:
    """Takes all the room of a file system, and what becomes free later: a store that removes old files makes some."""

    def __init__(self, path):
        self.path = path
        self.enough = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with open(self.path, "ab", buffering=0) as file:
            while not self.enough.wait(0.005):
                for size in (1 << 20, 1 << 12, 1):
                    with contextlib.suppress(OSError):
                        while file.write(bytes(size)) == size:
                            pass

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.enough.set()
        self.thread.join()
        os.unlink(self.path)


class FullDisk(house.Case):
    def mount_store(self):
        store = self.folder / "store"
        store.mkdir()
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", store], capture_output=True, text=True)
        if done.returncode != 0:
            self.skip(f"a small file system can't be mounted here: {done.stderr.strip()}")
        self.addCleanup(lambda: subprocess.run(["umount", "--lazy", store], check=True))
        self.addCleanup(lambda: [daemon.kill() for daemon in self.daemons])  # before that: they hold it

    def status(self):
        auditor, = self.theater_json("node", "status", "--node", "unix:node.sock")
        return auditor

    def stands_still(self):
        """Nothing became durable for a second."""
        before = self.status()["durable_events"]
        time.sleep(1)
        return self.status()["durable_events"] == before

    def test_it_waits_and_goes_on(self):
        self.mount_store()
        pair = house.Pair(self).start()
        book = ledger.Ledger(self)
        with ledger.Load(pair, book) as load:
            load.flows()
            with Filler(self.folder / "store" / "filler"):
                pair.auditor.wait_for("nothing is acknowledged: ")
                house.wait_until(self.stands_still, "no room is left")
                durable = self.status()["durable_events"]
                house.wait_until(lambda: self.status()["unacknowledged_events"] > 0, "the node shows what it still holds")
                book.expect_none(FULL_S, "there was no room for it")
                self.assertEqual(self.status()["durable_events"], durable)
            begin = time.monotonic()
            load.flows()
            print(f"full for {FULL_S} s, then {(time.monotonic() - begin) * 1e3:.0f} ms to the next durable answer")
            pair.auditor.wait_for("acknowledging again")
        pair.stop()
        print(book.check(complete=load.actors.values()))


if __name__ == "__main__":
    unittest.main()
