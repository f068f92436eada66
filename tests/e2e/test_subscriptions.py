"""Auditors come and go while a node runs, and actors wait for as many of them as their audit mode says."""
import signal
import unittest

import house


class Subscriptions(house.Case):
    """A node with one auditor, and more of them beside it."""

    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self, window="512 KiB")
        self.auditors = {}

    def auditor(self, name, more=""):
        """Another auditor, running, with a store of its name."""
        self.theater("keys", "new", f"keys/{name}")
        data, control = (f"tcp://127.0.0.1:{house.free_port()}" for _ in range(2))
        self.pair.write(f"{name}.toml", f"""
store = "{name}"
key = "keys/{name}.key"
data = "{data}"
control = "{control}"
authorized_keys = "keys/nodes"
{more}
""")
        self.auditors[name] = self.start("theater-auditor", "auditor", "start", "--config", f"{name}.toml")
        self.auditors[name].wait_for("ready")
        return ["--data", data, "--control", control, "--auditor-key", f"keys/{name}.pub"]

    def subscription(self, *words, **more):
        return self.theater_json("subscription", *words, "--node", "unix:node.sock", **more)

    def listed(self):
        return {each["auditor"]: each for each in self.subscription("list")}

    def stored(self, store, name):
        """The chain of that name in that store, or nothing."""
        found = [each for each in self.theater_json("chain", "list", "--store", store) if each["name"] == name
                 or each["actor"] == name]
        return found[0] if found else None

    def count(self, n, name="counter"):
        return self.pair.actor("request", name, str(n)).stdout.strip()

    def overfill_a_window(self, echo, *more):
        """Each payload is another one: the same is sent once."""
        for letter in "abcdefgh":
            (self.folder / "big").write_text(letter * 200_000)
            self.pair.actor("request", echo, "@big", *more)

    def test_an_auditor_that_is_added_gets_the_tail(self):
        self.pair.start()
        actor = self.pair.spawn("counter")
        where = self.auditor("late")
        self.assertEqual(self.subscription("add", "late", *where), [{"auditor": "late", "added": True}])
        self.assertEqual(self.subscription("add", "late", *where), [{"auditor": "late", "added": False}])
        self.theater("subscription", "add", "late", *where, "--actors", "name:x", "--node", "unix:node.sock", code=8)
        self.assertEqual(self.count(5), "5")
        self.pair.actor("spawn", self.manifest("echo"))
        self.assertEqual(self.pair.actor("request", "counter", "1", "--durable").stdout, "6\n")
        self.assertEqual({name: each["source"] for name, each in self.listed().items()},
                         {"auditor-a": "configuration", "late": "run time"})

        tail = house.wait_until(lambda: self.stored("late", actor), "the tail is there")
        self.assertEqual(tail["status"], "partial")
        types = [each["type"] for each in self.events(actor, "--store", "store")]
        added = types.index("audit/auditor-added")
        shown = [each["type"] for each in self.events(actor, "--store", "late")]
        self.assertEqual(shown, types[added + 1:][:len(shown)])
        self.assertEqual(self.stored("late", "echo")["status"], "open")

        removed, = self.subscription("remove", "late")
        self.assertEqual((removed["removed"], removed["lost_events"]), (True, 0))
        removed, = self.subscription("remove", "late")
        self.assertFalse(removed["removed"])
        self.assertEqual(self.auditors["late"].stop(), 143)
        self.assertEqual(self.count(1), "7")
        self.theater("subscription", "remove", "auditor-a", "--node", "unix:node.sock", code=8)
        node_chain = next(each for each in self.theater_json("chain", "list", "--store", "store")
                          if each["name"] == "node-a")["actor"]
        types = [each["type"] for each in self.events(node_chain, "--store", "store")]
        self.assertIn("node/subscription-added", types)
        self.assertIn("node/subscription-removed", types)
        self.pair.stop()
        for chain in ("counter", "echo"):
            self.theater("replay", chain, "--store", "store")
        self.theater("chain", "verify", "--require-complete", "--store", "store")

    def test_an_auditor_that_is_removed_and_added_again_goes_on_with_a_gap(self):
        self.pair.start()
        actor = self.pair.spawn("counter")
        where = self.auditor("again")
        self.subscription("add", "again", *where)
        self.count(1)
        self.subscription("remove", "again")
        self.count(1)
        self.subscription("add", "again", *where)
        self.assertEqual(self.pair.actor("request", "counter", "1", "--durable").stdout, "3\n")
        self.subscription("remove", "auditor-a")
        self.assertEqual(self.pair.actor("request", "counter", "1", "--durable").stdout, "4\n")
        self.assertEqual(self.theater_json("evidence", "list", "--store", "again"), [])
        self.assertEqual(self.stored("again", actor)["status"], "partial")
        sequences = [each["sequence"] for each in self.events(actor, "--store", "again")]
        holes = [after for before, after in zip(sequences, sequences[1:]) if after != before + 1]
        self.assertEqual(len(holes), 1, sequences)
        self.assertEqual(sequences[-1] + 1, self.pair.actor_json("show", actor)[0]["events"])
        self.theater("chain", "verify", "--store", "again")

    def test_only_some_chains_go_to_an_auditor_with_a_pattern(self):
        self.pair.start()
        where = self.auditor("some")
        self.subscription("add", "some", *where, "--actors", "name:cou*")
        self.pair.spawn("counter")
        self.pair.actor("spawn", self.manifest("echo"))
        self.pair.actor("request", "counter", "1", "--durable")
        self.assertEqual([each["name"] for each in self.theater_json("chain", "list", "--store", "some")], ["counter"])

    def test_actors_go_on_when_a_dead_strict_auditor_is_demoted(self):
        self.pair.start()
        where = self.auditor("dead")
        self.subscription("add", "dead", *where, "--window", "512 KiB")
        actor = self.pair.spawn("counter")
        self.auditors["dead"].process.send_signal(signal.SIGSTOP)
        waiting = self.start("theater", "actor", "request", "counter", "1", "--durable", "--node", "unix:node.sock")
        with self.assertRaises(AssertionError):
            house.wait_until(lambda: waiting.process.poll() is not None, "an answer that a dead auditor has", 1)
        demoted, = self.subscription("demote", "dead")
        self.assertTrue(demoted["changed"])
        self.assertEqual(waiting.process.wait(house.LIMIT_S), 0)
        echo = self.pair.actor("spawn", self.manifest("echo")).stdout.strip()
        self.overfill_a_window(echo)
        self.assertTrue(self.listed()["dead"]["demoted"])
        self.assertGreater(self.listed()["dead"]["dropped_events"], 0)
        self.auditors["dead"].process.send_signal(signal.SIGCONT)
        house.wait_until(lambda: self.listed()["dead"]["connected"], "it is there again")
        promoted, = self.subscription("promote", "dead")
        self.assertTrue(promoted["changed"])
        self.pair.actor("request", echo, "hello", "--durable")
        self.assertEqual(self.stored("dead", echo)["status"], "partial")
        self.assertEqual(self.stored("store", echo)["status"], "open")
        self.assertEqual(self.count(1), "2")
        self.assertEqual(self.stored("store", actor)["status"], "open")

    def test_a_quorum_goes_on_without_one_of_three(self):
        self.pair.start_auditor()
        b_serves = f"tcp://127.0.0.1:{house.free_port()}"
        more = {"b": self.auditor("b", f'serve_tcp = "{b_serves}"'), "c": self.auditor("c")}
        with open(self.folder / "keys" / "nodes", "a") as file:
            file.write(f"auditor {self.pair.public_key('c')} c\n")
        with open(self.folder / "node.toml", "a") as file:
            for name, (_, data, _, control, _, key) in more.items():
                file.write(f'\n[[auditor]]\nname = "{name}"\ndata = "{data}"\ncontrol = "{control}"\nkey = "{key}"\n'
                           'window = "512 KiB"\n')
        self.pair.start_node()
        text = self.manifest("echo").read_text()
        package = self.manifest("echo").parent / "echo.wasm"
        self.pair.write("quorum.toml", text.replace('"echo.wasm"', f'"{package}"').replace(
            'mode = "strict"', 'mode = "quorum"\nquorum = 2'))
        echo = self.pair.actor("spawn", "quorum.toml").stdout.strip()
        self.pair.actor("request", echo, "hello", "--durable")
        self.auditors["c"].kill()
        self.overfill_a_window(echo, "--durable")
        self.assertGreater(self.listed()["c"]["dropped_events"], 0)

        self.auditors["c"] = self.start("theater-auditor", "auditor", "start", "--config", "c.toml").wait_for("ready")
        house.wait_until(lambda: self.listed()["c"]["connected"], "it is back")
        self.pair.actor("request", echo, "hello", "--durable")
        house.wait_until(lambda: self.stored("c", echo)["status"] == "partial", "its copy has a gap")

        # It asks b for what it missed, and has it all.
        self.assertEqual(self.auditors["c"].stop(), 143)
        with open(self.folder / "c.toml", "a") as file:
            file.write(f'backfill_interval = "200 ms"\n[[peer]]\nname = "b"\nendpoint = "{b_serves}"\nkey = "keys/b.pub"\n')
        self.auditors["c"] = self.start("theater-auditor", "auditor", "start", "--config", "c.toml").wait_for("ready")
        house.wait_until(lambda: self.stored("c", echo)["status"] == "open", "nothing is missing any more")
        self.pair.actor("stop", echo)
        self.assertEqual(self.pair.node.stop(), 143, self.pair.node.said())
        for store in ("store", "b", "c"):
            house.wait_until(lambda: self.stored(store, echo)["status"] == "complete", f"{store} has it all")
        self.auditors["c"].stop()
        self.theater("chain", "verify", "--require-complete", "--store", "c")
        self.theater("replay", echo, "--store", "c")
        self.assertEqual(len({self.stored(store, echo)["head"] for store in ("store", "b", "c")}), 1)

        self.pair.write("four.toml", (self.folder / "quorum.toml").read_text().replace("quorum = 2", "quorum = 4"))
        self.pair.start_node()
        self.assertIn("3 auditors", self.pair.actor("spawn", "four.toml", code=1).stderr)


if __name__ == "__main__":
    unittest.main()
