"""What an auditor signed is held against it, even by a node that was killed since."""
import os
import shutil
import unittest

import house


class Receipts(house.Case):
    def receipt(self):
        return self.folder / "theater-receipts" / "auditor-a.receipt"

    def status(self):
        auditor, = self.theater_json("node", "status", "--node", "unix:node.sock")
        return auditor

    def test_an_auditor_that_was_set_back_is_noticed_by_a_node_that_was_killed(self):
        pair = house.Pair(self).start()
        pair.spawn("counter")
        pair.auditor.stop()
        shutil.copytree(self.folder / "store", self.folder / "older")
        pair.start_auditor()
        house.wait_until(lambda: self.status()["connected"], "the auditor is back")
        pair.actor("request", "counter", "5", "--durable")
        before = self.receipt().read_bytes() if self.receipt().exists() else b""
        pair.actor("request", "counter", "6", "--durable")
        house.wait_until(lambda: self.receipt().exists() and self.receipt().read_bytes() != before, "a receipt is kept")
        pair.node.kill()
        pair.auditor.stop()
        shutil.move(self.folder / "store", self.folder / "newer")
        shutil.move(self.folder / "older", self.folder / "store")

        pair.start()
        pair.node.wait_for("it signed that it holds")
        self.assertFalse(self.status()["connected"])
        pair.auditor.wait_for("it signed that it holds")
        pair.node.kill()

        # Its operator finds the newer store again.
        pair.auditor.stop()
        shutil.rmtree(self.folder / "store")
        shutil.move(self.folder / "newer", self.folder / "store")
        pair.start()
        pair.spawn("counter")
        pair.stop()

    def test_a_damaged_receipt_stops_the_start_and_is_named(self):
        pair = house.Pair(self)
        os.mkdir(self.folder / "theater-receipts")
        self.receipt().write_bytes(b"not a receipt at all")
        done = self.theater("node", "start", "--config", "node.toml", code=4)
        self.assertIn("auditor-a.receipt", done.stderr)
        self.assertIn("Move it away", done.stderr)
        self.receipt().unlink()
        pair.start().stop()


if __name__ == "__main__":
    unittest.main()
