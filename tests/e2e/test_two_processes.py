"""A node and an auditor as two processes, over encrypted TCP, with keys made on the command line."""
import select
import signal
import subprocess
import unittest

import house


class Actors(house.Case):
    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self).start()

    def test_an_actor_lives_and_ends_and_the_auditor_has_all_of_it(self):
        actor = self.pair.spawn("counter")
        self.assertRegex(actor, "^[0-9a-f]{64}$")
        self.assertEqual(self.pair.actor("request", actor[:8], "5").stdout, "5\n")
        self.pair.actor("send", "counter", "30")
        self.assertEqual(self.pair.actor("request", "counter", "7", "--durable").stdout, "42\n")
        listed, = [each for each in self.pair.actor_json("list") if each["name"] == "counter"]
        shown, = self.pair.actor_json("show", "counter")
        self.assertEqual(listed["actor"], actor)
        self.assertEqual((shown["state"], shown["mailbox"]), ("idle", 0))
        self.pair.actor("stop", "counter")
        self.pair.stop()
        chain = self.stored("counter")
        self.assertEqual(chain["status"], "complete")
        self.assertEqual(chain["actor"], actor)
        statuses = [each["status"] for each in self.theater_json("chain", "verify", "--store", "store")]
        self.assertEqual(statuses, ["complete", "complete"])
        self.theater("replay", "counter", "--store", "store")

    def stored(self, name):
        return next(each for each in self.theater_json("chain", "list", "--store", "store") if each["name"] == name)

    def test_kill_is_recorded_with_its_reason(self):
        actor = self.pair.spawn("counter")
        self.pair.actor("kill", actor, "--reason", "it was enough")
        house.wait_until(lambda: self.stored("counter")["status"] == "complete", "the end is stored")
        last = self.theater("chain", "tail", "counter", "-n", "1", "--store", "store").stdout
        self.assertIn("WasmError", last)
        self.assertIn("it was enough", last)

    def test_many_actors_with_large_payloads_at_once_all_get_on(self):
        """A payload is sent in many pieces, and an auditor puts only so many payloads together at once."""
        actors = [self.pair.spawn("echo") for _ in range(140)]
        self.pair.auditor.process.send_signal(signal.SIGSTOP)  # so that all of them have begun
        asking = []
        for i, actor in enumerate(actors):
            (self.folder / f"payload-{i}").write_bytes(b"%8d" % i * 40_000)
            asking.append(self.start("theater", "actor", "request", actor, f"@payload-{i}", "--node", "unix:node.sock",
                                     "--timeout-ms", "200000"))
        house.wait_until(lambda: sum(each["waits_for"] != "" for each in
                                     self.pair.actor_json("list")) > 80, "most of them wait for the auditor")
        self.pair.auditor.process.send_signal(signal.SIGCONT)
        for each in asking:
            self.assertEqual(each.process.wait(house.LIMIT_S), 0, each.said())
        self.pair.stop()
        self.assertEqual(self.theater_json("evidence", "list", "--store", "store"), [])
        self.theater("chain", "verify", "--store", "store")

    def test_errors_have_their_codes(self):
        self.assertIn("theater actor list", self.pair.actor("show", "nobody", code=3).stderr)
        self.pair.spawn("counter")
        self.assertIn("decimal", self.pair.actor("request", "counter", "x", code=6).stderr)
        self.theater("actor", "list", "--node", "unix:nowhere.sock", code=7)
        self.theater("actor", "list", "--node", "nonsense", code=2)

    def test_logs_follow_an_actor_until_it_ends(self):
        self.pair.spawn("counter")
        logs = subprocess.Popen(["theater", "actor", "logs", "counter", "--node", "unix:node.sock"], cwd=self.folder,
                                env=house.environment(self.folder), stdout=subprocess.PIPE, text=True)
        self.addCleanup(logs.stdout.close)
        self.addCleanup(logs.kill)
        # The follower sees what comes after it is there, so ask until it says something.
        house.wait_until(lambda: self.pair.actor("request", "counter", "1") and self.readable(logs), "a log line")
        self.assertEqual(logs.stdout.readline(), "added\n")
        self.pair.actor("stop", "counter")
        self.assertEqual(logs.wait(house.LIMIT_S), 0)

    @staticmethod
    def readable(process):
        return select.select([process.stdout], [], [], 0.2)[0]

    def test_a_bad_manifest_is_refused_by_the_node_and_it_lives_on(self):
        (self.folder / "bad.toml").write_text(f'name = "x"\npackage = "{house.EXAMPLES}/counter/counter.wasm"\nnonsense = 1\n')
        self.assertIn("nonsense", self.pair.actor("spawn", "bad.toml", code=1).stderr)
        (self.folder / "bad.wasm").write_bytes(b"\0asm\1\0\0\0nonsense")
        (self.folder / "bad.toml").write_text('name = "x"\npackage = "bad.wasm"\n')
        self.assertIn("bad.wasm: ", self.pair.actor("spawn", "bad.toml", code=1).stderr)
        self.pair.spawn("counter")

    def test_a_node_that_stops_ends_its_actors_with_an_event(self):
        self.pair.spawn("counter")
        self.pair.stop()
        self.theater("chain", "verify", "--require-complete", "--store", "store")


class Trouble(house.Case):
    def test_without_its_auditor_a_strict_node_waits_and_says_so(self):
        pair = house.Pair(self)
        pair.start_node()
        pair.node.wait_for("waiting for auditor auditor-a")
        spawn = subprocess.Popen(["theater", "actor", "spawn", self.manifest("counter"), "--node", "unix:node.sock"],
                                 cwd=self.folder, env=house.environment(self.folder), stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(spawn.stdout.close)
        self.addCleanup(spawn.kill)
        waiting = house.wait_until(lambda: [each for each in pair.actor_json("list") if each["waits_for"]], "an actor waits")
        self.assertIn("auditor-a", waiting[0]["waits_for"])
        self.assertIsNone(spawn.poll())
        pair.start_auditor()
        actor = spawn.communicate(timeout=house.LIMIT_S)[0].strip()
        self.assertEqual(pair.actor("request", actor, "5", "--durable").stdout, "5\n")
        pair.node.wait_for("connected to auditor auditor-a")
        pair.stop()
        self.theater("chain", "verify", "--require-complete", "--store", "store")

    def test_a_node_whose_key_is_not_authorized_is_refused_and_both_say_so(self):
        pair = house.Pair(self)
        self.theater("keys", "new", "keys/stranger")
        pair.authorize("node", pair.public_key("stranger"))
        pair.start()
        pair.node.wait_for("waiting for auditor auditor-a")
        house.wait_until(lambda: "refused" in pair.node.said() and "refused" in pair.auditor.said(), "both say refused")

    def test_an_auditor_with_another_key_is_refused_and_both_say_so(self):
        pair = house.Pair(self)
        self.theater("keys", "new", "keys/stranger")
        pair.write_node(pair.public_key("stranger"))
        pair.start()
        pair.node.wait_for("waiting for auditor auditor-a")
        house.wait_until(lambda: "key" in pair.node.said().split("waiting for auditor", 1)[1], "the node names the key")
        house.wait_until(lambda: "handshake" in pair.auditor.said(), "the auditor names the handshake")

    def test_check_tests_a_configuration_and_starts_nothing(self):
        pair = house.Pair(self)
        self.theater("node", "check", "--config", "node.toml")
        self.theater("auditor", "check", "--config", "auditor.toml")
        pair.start_auditor()
        self.assertIn("in use", self.theater("auditor", "check", "--config", "auditor.toml", code=8).stdout)
        self.assertIn("open for writing", self.theater("auditor", "start", "--config", "auditor.toml", code=8).stderr)
        pair.write("second.toml", (self.folder / "auditor.toml").read_text().replace('"store"', '"second"'))
        self.assertIn("listens on", self.theater("auditor", "start", "--config", "second.toml", code=8).stderr)
        pair.start_node()
        self.assertIn("in use", self.theater("node", "check", "--config", "node.toml", code=8).stdout)
        pair.node.stop()
        self.theater("node", "check", "--config", "node.toml")
        (self.folder / "keys" / "node.key").chmod(0o644)
        self.assertIn("chmod 600", self.theater("node", "check", "--config", "node.toml", code=8).stdout)
        pair.write("node.toml", "nme = 'x'\n")
        self.assertIn("node.toml:1:1", self.theater("node", "check", "--config", "node.toml", code=1).stderr)

    def test_a_second_node_on_the_same_socket_is_refused(self):
        pair = house.Pair(self).start()
        house.wait_until(lambda: "connected" in pair.node.said(), "the node is connected")
        said = pair.auditor.said()
        done = self.theater("node", "start", "--config", "node.toml", code=8)
        self.assertIn("node.sock", done.stderr)
        pair.actor("spawn", self.manifest("counter"))
        pair.stop()
        # It never came as far as the auditor: the first node's link is the only one.
        self.assertNotIn("taken over", pair.node.said())
        self.assertEqual(pair.node.said().count("connected to auditor"), 1)
        nodes = [each for each in self.theater_json("chain", "list", "--store", "store") if each["node_chain"]]
        self.assertEqual(len(nodes), 1)


class OverTcp(house.Case):
    """The control endpoint over TCP: who may do what is in the authorized-keys file."""

    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self)
        self.endpoint = f"tcp://127.0.0.1:{house.free_port()}"
        for who in ("operator", "reader", "stranger"):
            self.theater("keys", "new", f"keys/{who}")
        lines = [f"{who} {self.pair.public_key(who)} {who}" for who in ("operator", "reader")]
        self.pair.write("keys/operators", "\n".join(lines) + "\n")
        config = (self.folder / "node.toml").read_text()
        self.pair.write("node.toml", f'control_tcp = "{self.endpoint}"\nauthorized_keys = "keys/operators"\n{config}')
        self.pair.start()

    def actor_as(self, who, *words, server="node", **more):
        return self.theater("actor", *words, "--node", self.endpoint, "--node-key", self.pair.public_key(server), "--key",
                            f"keys/{who}.key", **more)

    def test_operators_may_do_all_and_readers_may_look(self):
        actor = self.actor_as("operator", "spawn", self.manifest("counter")).stdout.strip()
        self.assertEqual(self.actor_as("operator", "request", actor, "5").stdout, "5\n")
        self.assertIn("counter", self.actor_as("reader", "list").stdout)
        self.assertIn("operator", self.actor_as("reader", "request", actor, "5", code=8).stderr)
        self.pair.stop()
        genesis = self.events("counter", "--store", "store")[0]
        self.assertIn(self.theater_json("keys", "show", "keys/operator.key")[0]["identity"], str(genesis))

    def test_strangers_are_refused_and_so_is_a_node_with_another_key(self):
        self.assertIn("refused this key", self.actor_as("stranger", "list", code=8).stderr)
        self.assertIn("public key", self.actor_as("operator", "list", server="stranger", code=8).stderr)
        self.theater("actor", "list", "--node", self.endpoint, code=1)  # no keys given

    def test_who_may_command_and_who_demoted_an_auditor_stands_on_the_nodes_chain(self):
        def subscription(who, *words, **more):
            return self.theater("subscription", *words, "--node", self.endpoint, "--node-key", self.pair.public_key("node"),
                                "--key", f"keys/{who}.key", **more)

        self.assertIn("auditor-a", subscription("reader", "list").stdout)
        self.assertIn("may not subscription.demote", subscription("reader", "demote", "auditor-a", code=8).stderr)
        self.assertIn("nobody would have their record", subscription("operator", "demote", "auditor-a", code=8).stderr)
        nowhere = [f"tcp://127.0.0.1:{house.free_port()}" for _ in range(2)]
        subscription("operator", "add", "auditor-b", "--data", nowhere[0], "--control", nowhere[1], "--auditor-key",
                     self.pair.public_key("stranger"))
        subscription("operator", "demote", "auditor-a")
        subscription("operator", "demote", "auditor-b", code=8)
        subscription("operator", "promote", "auditor-a")
        subscription("operator", "demote", "auditor-b")
        subscription("operator", "remove", "auditor-b")
        self.pair.write("keys/operators", f"operator {self.pair.public_key('operator')} operator\n"
                                          f"reader {self.pair.public_key('stranger')} stranger\n")

        def facts():
            node = next(each for each in self.theater_json("chain", "list", "--store", "store") if each["node_chain"])
            return {(each["type"], who): str(each) for each in self.events(node["actor"], "--store", "store")
                    for who in ("operator", "reader", "stranger", "auditor-a") if f"'{who}'" in str(each)
                    or f'"{who}"' in str(each)}

        house.wait_until(lambda: {("node/key-added", "operator"), ("node/key-added", "reader"),
                                  ("node/key-removed", "reader"), ("node/key-added", "stranger")} <= set(facts()),
                         "keys that come and go are recorded")
        self.assertNotIn(("node/key-removed", "operator"), facts())
        identity = self.theater_json("keys", "show", "keys/operator.key")[0]["identity"]
        for change in ("demoted", "promoted"):
            self.assertIn(identity, facts()[f"node/subscription-{change}", "auditor-a"])

    def test_a_context_holds_it_all(self):
        self.theater("context", "add", "lab", "--node", self.endpoint, "--node-key", self.pair.public_key("node"), "--key",
                     "keys/operator.key")
        self.theater("actor", "spawn", self.manifest("counter"))
        self.assertEqual(self.theater("actor", "request", "counter", "1").stdout, "1\n")

    def test_a_repeated_request_id_is_not_run_again(self):
        self.actor_as("operator", "spawn", self.manifest("counter"))
        for _ in range(3):
            self.assertEqual(self.actor_as("operator", "request", "counter", "5", "--request-id", "order-1").stdout, "5\n")
        self.assertEqual(self.actor_as("operator", "request", "counter", "5", "--request-id", "order-2").stdout, "10\n")


class Abandoned(house.Case):
    def test_abandon_gives_up_on_the_last_event_and_says_so(self):
        pair = house.Pair(self, window="512 KiB").start()
        pair.spawn("burst")
        pair.auditor.process.send_signal(signal.SIGSTOP)
        asking = subprocess.Popen(["theater", "actor", "request", "burst", "100000", "--node", "unix:node.sock"],
                                  cwd=self.folder, env=house.environment(self.folder), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(asking.wait)
        self.addCleanup(asking.kill)
        house.wait_until(lambda: "auditor" in pair.actor_json("show", "burst")[0]["waits_for"], "the actor waits")
        # The reason makes the last event larger than what room may be left below the size of a log event.
        killed = pair.actor("kill", "burst", "--abandon", "--reason", "enough " * 200, code=1)
        self.assertIn("open", killed.stderr)
        self.assertEqual([each for each in pair.actor_json("list") if each["state"] != "ended"], [])
        pair.auditor.process.send_signal(signal.SIGCONT)
        pair.stop()
        chains = {each["name"]: each["status"] for each in self.theater_json("chain", "verify", "--store", "store")}
        self.assertEqual(chains["burst"], "open")


class Killed(house.Case):
    def test_a_node_that_dies_leaves_a_chain_that_verifies_and_is_open(self):
        pair = house.Pair(self).start()
        pair.spawn("burst")
        pair.actor("request", "burst", "1000", "--durable")
        pair.node.kill()
        self.assertEqual(pair.auditor.stop(signal.SIGINT), 130)
        done = self.theater("chain", "verify", "burst", "--store", "store", "--json")
        self.assertIn('"status":"open"', done.stdout)
        self.assertIn("is open", done.stderr)
        logs = [each for each in self.events("burst", "--store", "store") if each["type"].endswith("/log")]
        self.assertEqual(len(logs), 1000)
        self.theater("replay", "burst", "--store", "store")


if __name__ == "__main__":
    unittest.main()
