"""Supervisors with real guests, a node and an auditor as two processes: what is restarted, what stands on the chains, and
that all of it replays."""
import unittest

import house


class Supervision(house.Case):
    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self).start()

    def living(self, name):
        return [each["actor"] for each in self.pair.actor_json("list") if each["name"] == name and each["state"] != "ended"]

    def next_life(self, name, not_these):
        return house.wait_until(lambda: [each for each in self.living(name) if each not in not_these], f"a new {name}")[0]

    def events(self, actor):
        return self.theater_json("chain", "show", actor, "--store", "store")

    def replay_all(self):
        for chain in self.theater_json("chain", "verify", "--store", "store"):
            self.assertEqual(chain["status"], "complete", chain)
            self.theater("replay", chain["actor"], "--store", "store")

    def test_a_supervisor_without_code_restarts_its_children_and_stops_them(self):
        counter, echo = (house.EXAMPLES / name / "manifest.toml" for name in ("counter", "echo"))
        handlers = "".join(f'[[handler]]\ntype = "{each}"\n' for each in ("runtime", "timing", "random", "message-server", "wasi"))
        (self.folder / "team.toml").write_text(
            f'name = "team"\n{handlers}[supervisor]\nstrategy = "one_for_all"\n'
            f'[[child]]\nid = "c"\nmanifest = "{counter}"\n[[child]]\nid = "e"\nmanifest = "{echo}"\nrestart = "transient"\n')
        team = self.pair.actor("spawn", self.folder / "team.toml").stdout.strip()
        first, = self.living("counter")
        other, = self.living("echo")
        self.assertEqual(self.pair.actor("request", first, "5").stdout, "5\n")
        self.pair.actor("kill", first)
        second = self.next_life("counter", [first])
        self.next_life("echo", [other])
        self.assertEqual(self.pair.actor("request", second, "7").stdout, "7\n")  # a new life begins anew
        self.pair.actor("stop", team)
        self.assertEqual(self.living("counter") + self.living("echo"), [])
        self.pair.stop()
        types = [each["type"] for each in self.events(team)]
        self.assertIn("supervisor/restart", types)
        self.assertEqual(types[-2:], ["supervisor/end", "shutdown"])
        self.replay_all()

    def test_children_by_code(self):
        self.pair.spawn("pool")
        first = self.pair.actor("request", "pool", "open").stdout.strip()
        second = self.pair.actor("request", "pool", "open").stdout.strip()
        self.assertEqual(self.pair.actor("request", second, "5").stdout, "5\n")
        self.pair.actor("kill", first)
        third = self.next_life("counter", [first, second])
        self.assertEqual(set(self.pair.actor("request", "pool", "list").stdout.split()), {second, third})
        self.assertEqual(self.pair.actor("request", "pool", f"close {second}").stdout, "closed\n")
        self.assertIn("not_found", self.pair.actor("request", "pool", f"close {second}", code=6).stderr)
        self.pair.actor("stop", "pool")
        self.assertEqual(self.living("counter"), [])
        self.pair.stop()
        self.replay_all()

    def test_what_is_wrong_is_named(self):
        (self.folder / "team.toml").write_text('name = "team"\n[supervisor]\n[[child]]\nid = "c"\nmanifest = "nowhere.toml"\n')
        self.assertIn("child 'c'", self.pair.actor("spawn", self.folder / "team.toml", code=3).stderr)
        (self.folder / "loop.toml").write_text('name = "loop"\n[supervisor]\n[[child]]\nid = "c"\nmanifest = "loop.toml"\n')
        self.assertIn("does a manifest name itself", self.pair.actor("spawn", self.folder / "loop.toml", code=1).stderr)
        counter = house.EXAMPLES / "counter" / "manifest.toml"
        (self.folder / "poor.toml").write_text(f'name = "poor"\n[supervisor]\n[[child]]\nid = "c"\nmanifest = "{counter}"\n')
        self.assertIn("a child gets at most what its parent has", self.pair.actor("spawn", self.folder / "poor.toml", code=8).stderr)


if __name__ == "__main__":
    unittest.main()
