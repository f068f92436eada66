"""Node and auditor are killed at random under load, and the auditor stands still for a while: nothing that was answered as durable
is lost, nothing is there twice, and it flows again."""
import random
import signal
import statistics
import time
import unittest

import house
import ledger

KILLS = 50
STANDSTILL_S = 5


class Kills(house.Case):
    def test_fifty_at_random(self):
        chance = random.Random(ledger.seed())
        pair = house.Pair(self).start()
        book = ledger.Ledger(self)
        kills = {"node": self.kill_node, "auditor": self.kill_auditor}
        took = {who: [] for who in kills}
        with ledger.Load(pair, book) as load:
            for _ in range(KILLS):
                time.sleep(chance.uniform(0, 0.3))
                who = chance.choice(list(kills))
                took[who].append(kills[who](pair, book, load))
        self.assertEqual(pair.node.stop(), 143, pair.node.said())
        self.assertEqual(pair.auditor.stop(), 143, pair.auditor.said())
        print(book.check(complete=load.actors.values(), open=load.broken_off))
        for who, times in took.items():
            self.assertGreater(len(times), 0)
            print(f"{who}: {len(times)} kills; from the restart to the next durable answer "
                  f"{statistics.median(times) * 1e3:.0f} ms, at most {max(times) * 1e3:.0f} ms")

    def kill_node(self, pair, book, load):
        pair.node.kill()
        book.node_dies()
        begin = time.monotonic()
        pair.start_node()
        load.spawn_again()
        book.node_is_back()
        load.flows()
        return time.monotonic() - begin

    def kill_auditor(self, pair, book, load):
        pair.auditor.kill()
        begin = time.monotonic()
        pair.start_auditor()
        load.flows()
        return time.monotonic() - begin

    def test_an_auditor_that_stands_still(self):
        pair = house.Pair(self).start()
        book = ledger.Ledger(self)
        with ledger.Load(pair, book) as load:
            load.flows()
            pair.auditor.process.send_signal(signal.SIGSTOP)
            book.expect_none(STANDSTILL_S, "nobody could have made it durable")
            begin = time.monotonic()
            pair.auditor.process.send_signal(signal.SIGCONT)
            load.flows()
            print(f"stopped for {STANDSTILL_S} s, then {(time.monotonic() - begin) * 1e3:.0f} ms to the next durable answer")
        pair.stop()
        print(book.check(complete=load.actors.values()))


if __name__ == "__main__":
    unittest.main()
