"""Node and auditor with a bad network between them: packets are late and lost, and each direction is cut by itself, for less and for
more time than it takes to give the other one up. Nothing is lost, nothing is there twice, and it flows again."""
import time
import unittest

import house
import ledger
import lossy_net

LOSS = 0.08
DELAY_S = 0.05
LOSSY_S = 8
SHORT_S, LONG_S = 2, 8  # after 6 s of silence the other side is given up


class LossyNetwork(house.Case):
    def setUp(self):
        super().setUp()
        seed = ledger.seed()
        try:
            self.wire = lossy_net.Wire("node", "auditor", seed)
        except lossy_net.Unavailable as why:
            self.skip(why)
        self.addCleanup(self.wire.close)

    def start_pair(self):
        pair = house.Pair(self)
        for name in ("node.toml", "auditor.toml"):
            text = (self.folder / name).read_text()
            (self.folder / name).write_text(text.replace("tcp://127.0.0.1:", f"tcp://{self.wire.address('auditor')}:"))
        pair.start_auditor(within=self.wire.within("auditor"))
        pair.start_node(within=self.wire.within("node"))
        return pair

    def test_loss_delay_and_cuts(self):
        pair = self.start_pair()
        book = ledger.Ledger(self)
        # What a burst emits would take minutes through such a network.
        with ledger.Load(pair, book, burst=False) as load:
            load.flows()
            for side in ("node", "auditor"):
                self.wire.towards(side).loss, self.wire.towards(side).delay_s = LOSS, DELAY_S
            before = book.answered()
            time.sleep(LOSSY_S)
            load.flows()
            self.assertGreater(book.answered(), before)
            print(f"{LOSS:.0%} loss, {DELAY_S * 1e3:.0f} ms delay: {book.answered() - before} answers in {LOSSY_S} s")
            self.heal(load, "loss and delay")

            for cut_s in (SHORT_S, LONG_S):
                for side in ("node", "auditor"):
                    self.wire.towards(side).cut = True
                    book.expect_none(cut_s, f"answered as durable while nothing came through to the {side}")
                    self.heal(load, f"{cut_s} s without a word to the {side}")
        pair.stop()
        print(book.check(complete=load.actors.values()))

    def heal(self, load, after):
        self.wire.mend()
        begin = time.monotonic()
        load.flows()
        print(f"after {after}: {(time.monotonic() - begin) * 1e3:.0f} ms to the next durable answer")


if __name__ == "__main__":
    unittest.main()
