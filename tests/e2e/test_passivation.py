"""Actors that rest, through a real node, a real auditor, the verifier and replay."""
import unittest

import house

GRANTS = "".join(f'[[handler]]\ntype = "{each}"\n' for each in ("runtime", "timing", "message-server"))


class Passivation(house.Case):
    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self)

    def with_limits(self, text):
        """Starts both, the node with this table [limits]."""
        path = self.folder / "node.toml"
        path.write_text(path.read_text().replace("[[auditor]]", f"[limits]\n{text}\n[[auditor]]"))
        self.pair.start()

    def spawn(self, name, more=""):
        (self.folder / f"{name}.toml").write_text(
            f'name = "{name}"\npackage = "{house.GUESTS}/moody.wasm"\n{GRANTS}{more}')
        return self.pair.actor("spawn", f"{name}.toml").stdout.strip()

    def wait_until_passivated(self, actor):
        house.wait_until(lambda: self.pair.actor_json("show", actor)[0]["state"] == "passivated", f"{actor} rests")

    def count(self, actor):
        """Its calls in this instance's memory, and those that its state knows."""
        return divmod(int(self.pair.actor("request", actor, "count").stdout), 1000)

    def check_store(self, *actors):
        self.pair.stop()
        self.theater("chain", "verify", "--require-complete", "--store", "store")
        for actor in actors:
            self.assertIn("same", self.theater("replay", actor, "--store", "store").stdout)

    def test_memory_goes_state_stays_and_the_record_replays(self):
        self.with_limits('passivate_after = "20 ms"')
        actor = self.spawn("sleeper")
        for known in (1, 2, 3):
            self.wait_until_passivated(actor)
            self.assertEqual(self.count(actor), (1, known))
        self.wait_until_passivated("sleeper")
        listed, = self.pair.actor_json("list")
        self.assertEqual((listed["actor"], listed["state"]), (actor, "passivated"))
        stopped = self.spawn("stopped")
        self.wait_until_passivated(stopped)
        self.pair.actor("stop", stopped)
        self.check_store(actor, stopped)
        types = [each["type"] for each in self.events(actor, "--store", "store")]
        rests = [i for i, each in enumerate(types) if each == "actor/passivated"]
        self.assertGreaterEqual(len(rests), 4)
        for at in rests:
            self.assertIn(types[at + 1], ("_initialize", "shutdown"))

    def test_more_actors_than_instances(self):
        self.with_limits("instances_max = 3\nactors_max = 8")
        actors = [self.spawn(f"actor-{i}") for i in range(8)]
        self.assertIn("limits.actors_max", self.pair.actor("spawn", "actor-0.toml", code=7).stderr)
        for known in (1, 2):
            for actor in actors:
                self.assertEqual(self.count(actor)[1], known)
        self.assertEqual(len(self.pair.actor_json("list")), 8)
        self.check_store(*actors)


if __name__ == "__main__":
    unittest.main()
