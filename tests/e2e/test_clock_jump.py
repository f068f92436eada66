"""The auditor's wall clock jumps by a day, forward and back, while events flow: nothing waits for it, nothing is lost, and every
chain still verifies. Only the wall clock is moved (by libfaketime); what measures time is the monotonic one."""
import datetime
import pathlib
import time
import unittest

import house
import ledger

JUMPS = ("+1d", "-1d", "+0d")


class ClockJump(house.Case):
    def faked_clock(self):
        libraries = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
        if not libraries:
            self.skip("libfaketime isn't installed (Debian's package faketime)")
        return {
            "LD_PRELOAD": str(libraries[0]),
            "FAKETIME_TIMESTAMP_FILE": str(self.folder / "offset"),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",  # how older ones call it
        }

    def jump(self, offset):
        """At once, never an empty file: the auditor reads it whenever it asks for the time."""
        (self.folder / "offset.new").write_text(offset)
        (self.folder / "offset.new").rename(self.folder / "offset")

    def days_off(self, pair):
        """By the newest line of the auditor's log."""
        said = datetime.datetime.fromisoformat(pair.auditor.said().splitlines()[-1].split()[0])
        return round((said - datetime.datetime.now(datetime.timezone.utc)) / datetime.timedelta(days=1))

    def test_a_day_forward_and_back(self):
        faked = self.faked_clock()
        self.jump("+0d")
        pair = house.Pair(self)
        pair.start_auditor(more_environment=faked)
        pair.start_node()
        book = ledger.Ledger(self)
        with ledger.Load(pair, book) as load:
            load.flows()
            for offset in JUMPS:
                self.jump(offset)
                begin = time.monotonic()
                load.flows()
                print(f"clock at {offset}: {(time.monotonic() - begin) * 1e3:.0f} ms to the next durable answer")

                # A node that comes back is noted in the auditor's log, at the time that the auditor believes in.
                book.node_dies()
                pair.node.kill()
                lines = len(pair.auditor.said().splitlines())
                pair.start_node()
                house.wait_until(lambda: len(pair.auditor.said().splitlines()) > lines, "the auditor notes the node")
                self.assertEqual(self.days_off(pair), int(offset[:-1]))
                load.spawn_again()
                book.node_is_back()
                load.flows()
        pair.stop()
        print(book.check(complete=load.actors.values(), open=load.broken_off))


if __name__ == "__main__":
    unittest.main()
