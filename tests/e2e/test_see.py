"""What an operator sees of running processes: numbers, health, logs, the actors themselves. And docs/operations.md, which
lists each number, against what is really served."""
import http.client
import json
import pathlib
import re
import select
import signal
import socket
import subprocess
import unittest

import house

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "operations.md"
SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")


def get(port, path, method="GET"):
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=house.LIMIT_S)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


class Scraped:
    """What /metrics says, taken apart."""

    def __init__(self, port):
        status, text = get(port, "/metrics")
        assert status == 200, text
        self.types, self.values, self.labels = {}, {}, {}
        for line in text.splitlines():
            if line.startswith("# TYPE "):
                name, kind = line.split()[2:]
                self.types[name] = kind
            elif not line.startswith("#"):
                name, labels, value = SAMPLE.fullmatch(line).groups()
                labels = dict(re.findall(r'(\w+)="([^"]*)"', labels or ""))
                self.values[(name, *labels.values())] = float(value)
                self.labels.setdefault(name, set()).update(labels)

    def __getitem__(self, key):
        return self.values[key if isinstance(key, tuple) else (key,)]


def rows_of(heading):
    """{name: (type, labels)} of the table below a heading of the page."""
    section = PAGE.read_text().split(f"\n### {heading}\n", 1)[1].split("\n## ", 1)[0].split("\n### ", 1)[0]
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \|(.*?)\|", section, re.MULTILINE)
    return {name: (kind, set(re.findall(r"`(\w+)`", labels))) for name, kind, labels in rows}


class Seen(house.Case):
    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self)
        self.node_port, self.auditor_port = house.free_port(), house.free_port()
        for name, port in (("node.toml", self.node_port), ("auditor.toml", self.auditor_port)):
            # In front of the arrays of tables: whatever follows one belongs to it.
            text = (self.folder / name).read_text()
            at = text.find("[[") if "[[" in text else len(text)
            self.pair.write(name, text[:at] + f'[metrics]\nlisten = "127.0.0.1:{port}"\n\n' + text[at:])

    def follow(self, actor, *more):
        logs = subprocess.Popen(["theater", "actor", "logs", "-f", actor, "--node", "unix:node.sock", *more], cwd=self.folder,
                                env=house.environment(self.folder), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(lambda: (logs.kill(), logs.wait(), logs.stdout.close(), logs.stderr.close()))
        return logs


class Numbers(Seen):
    def test_what_happens_is_counted_and_the_page_lists_what_is_served(self):
        self.pair.start()
        self.pair.node.wait_for("connected to auditor")
        before = Scraped(self.node_port)
        actors = [self.pair.spawn("counter") for _ in range(3)]
        self.pair.actor("request", actors[0], "5")
        self.pair.actor("request", actors[0], "37", "--durable")
        self.pair.actor("kill", actors[1])

        def scraped():
            now = Scraped(self.node_port)
            return now if now["theater_actors_ended_total", "killed"] == 1 and now["theater_actors", "idle"] == 2 else None

        after = house.wait_until(scraped, "the numbers follow")
        self.assertEqual(after["theater_actors_spawned_total"] - before["theater_actors_spawned_total"], 3)
        self.assertEqual(after["theater_messages_total", "outside"], 2)
        self.assertEqual((after["theater_modules_compiled_total"], after["theater_modules_found_total"]), (1, 2))
        self.assertEqual(after["theater_instances"], 2)
        self.assertGreater(after["theater_compile_seconds_total"], 0)
        self.assertGreater(after["process_resident_memory_bytes"], 1 << 20)
        self.assertEqual(after["theater_auditor_connected", "auditor-a"], 1)
        self.assertGreaterEqual(after["theater_thread_cpu_seconds_total", "worker-0"], 0)
        events = sum(each["events"] for each in self.pair.actor_json("list"))
        house.wait_until(lambda: Scraped(self.node_port)["theater_events_total"] == events, "every event is counted")

        durable = house.wait_until(lambda: self.all_durable(events), "everything is durable at the auditor")
        for scraped, headings in ((after, ("Of a node", "Of both")), (durable, ("Of an auditor", "Of both"))):
            listed = {name: row for heading in headings for name, row in rows_of(heading).items()}
            served = {name: (kind, scraped.labels.get(name, set())) for name, kind in scraped.types.items()}
            self.assertEqual(listed, served)
        self.pair.stop()

    def all_durable(self, events):
        node, auditor = Scraped(self.node_port), Scraped(self.auditor_port)
        # The node's own chain is there, too.
        done = (node["theater_auditor_unacknowledged_bytes", "auditor-a"] == 0
                and auditor["theater_store_events_total"] == events + node["theater_node_chain_events_total"])
        return auditor if done else None

    def test_an_auditor_that_is_away_is_seen_in_who_waits(self):
        self.pair.start()
        actor = self.pair.spawn("burst")
        self.pair.auditor.kill()
        house.wait_until(lambda: Scraped(self.node_port)["theater_auditor_connected", "auditor-a"] == 0, "it is away")
        status, text = get(self.node_port, "/healthz")
        self.assertEqual(status, 200, "a restart of the node would lose what isn't acknowledged")
        self.assertIn("degraded: auditor auditor-a is away", text)
        asking = subprocess.Popen(["theater", "actor", "request", actor, "1000000", "--node", "unix:node.sock"],
                                  cwd=self.folder, env=house.environment(self.folder), stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        self.addCleanup(lambda: (asking.kill(), asking.wait()))
        waiting = house.wait_until(
            lambda: [each for each in self.pair.actor_json("list") if each["waiting_ms"] > 100], "it waits")
        self.assertEqual((waiting[0]["state"], waiting[0]["waits_for"]), ("waiting", "auditor auditor-a"))
        self.assertRegex(self.pair.actor("list").stdout, r"waiting for auditor auditor-a, \d+ m?s\n")
        # Numbers may be a quarter of a second old.
        house.wait_until(lambda: Scraped(self.node_port)["theater_actors_waiting", "auditor"] == 1, "the numbers say so")
        metrics = Scraped(self.node_port)
        self.assertGreater(metrics["theater_longest_wait_seconds", "auditor"], 0.1)
        self.assertGreater(metrics["theater_auditor_unacknowledged_bytes", "auditor-a"], 0)


class Healthy(Seen):
    def test_health_from_ready_to_stopping(self):
        self.pair.start()
        self.pair.node.wait_for("connected to auditor")
        for port in (self.node_port, self.auditor_port):
            self.assertEqual(get(port, "/healthz"), (200, "ok\n"))
            self.assertEqual(get(port, "/nonsense")[0], 404)
            self.assertEqual(get(port, "/metrics", "POST")[0], 405)
        # A stop that has to wait for its auditor says so meanwhile.
        self.pair.auditor.process.send_signal(signal.SIGSTOP)
        self.pair.spawn("counter")
        house.wait_until(lambda: Scraped(self.node_port)["theater_auditor_unacknowledged_bytes", "auditor-a"] > 0,
                         "something isn't acknowledged")
        self.pair.node.process.send_signal(signal.SIGTERM)
        self.assertEqual(house.wait_until(lambda: self.not_well(), "it is stopping"), (503, "stopping\n"))
        self.pair.auditor.process.send_signal(signal.SIGCONT)
        self.assertEqual(self.pair.node.process.wait(house.LIMIT_S), 143, self.pair.node.said())

    def not_well(self):
        answer = get(self.node_port, "/healthz")
        return answer if answer[0] != 200 else None

    def test_a_port_that_is_taken_is_named_and_nothing_starts(self):
        with socket.socket() as other:
            other.bind(("127.0.0.1", self.node_port))
            other.listen()
            address = f"127.0.0.1:{self.node_port}"
            self.assertIn(address, self.theater("node", "start", "--config", "node.toml", code=8).stderr)
            self.assertIn(address, self.theater("node", "check", "--config", "node.toml", code=8).stdout)
        self.pair.start()
        self.pair.write("second.toml", (self.folder / "auditor.toml").read_text().replace('"store"', '"second"'))
        self.assertIn(str(self.auditor_port), self.theater("auditor", "start", "--config", "second.toml", code=8).stderr)
        self.pair.write("node.toml", (self.folder / "node.toml").read_text().replace(address, "localhost:9464"))
        self.assertRegex(self.theater("node", "check", "--config", "node.toml", code=1).stderr,
                         r"node.toml:\d+:\d+: .*'localhost:9464' is no address")

    def test_strangers_at_the_door_do_not_harm_the_node(self):
        self.pair.start()
        actor = self.pair.spawn("counter")
        strangers = [socket.create_connection(("127.0.0.1", self.node_port)) for _ in range(100)]
        for i, stranger in enumerate(strangers):
            self.addCleanup(stranger.close)
            if i % 3 == 0:
                stranger.sendall(b"\x16\x03\x01\x00garbage\r\n\r\n" * 10)
            elif i % 3 == 1:
                stranger.sendall(b"GET /metrics HTTP/1.1\r\nHost:")  # and never ends
        for i in range(10):
            self.assertEqual(self.pair.actor("request", actor, "1").stdout, f"{i + 1}\n")
        for stranger in strangers:
            stranger.close()
        self.assertEqual(get(self.node_port, "/healthz")[0], 200)
        self.pair.stop()


class Logs(Seen):
    def test_logs_are_followed_until_the_end_with_the_events_they_are(self):
        self.pair.start()
        actor = self.pair.spawn("counter")
        logs = self.follow(actor, "--json")
        house.wait_until(lambda: self.pair.actor("request", actor, "1") and self.readable(logs), "a line")
        self.pair.actor("stop", actor)
        out, _ = logs.communicate(timeout=house.LIMIT_S)
        self.assertEqual(logs.returncode, 0)
        lines = [json.loads(line) for line in out.splitlines()]
        house.wait_until(lambda: self.status_of("counter") == "complete", "the chain is stored")
        for line in lines:
            event, = self.events("counter", "--store", "store", "--from", line["sequence"], "--to", line["sequence"])
            self.assertEqual((event["hash"], line["text"]), (line["event"], "added"))
        self.assertIn("has ended", self.pair.actor("logs", actor, code=3).stderr)

    @staticmethod
    def readable(logs):
        """Whether the reader was there before the last request: then its line has come."""
        return select.select([logs.stdout], [], [], 0.2)[0]

    def status_of(self, name):
        return next(each for each in self.theater_json("chain", "list", "--store", "store") if each["name"] == name)["status"]

    def test_a_reader_that_is_too_slow_is_told_what_it_missed_and_holds_up_nobody(self):
        self.pair.start()
        actor = self.pair.spawn("burst")
        logs = self.follow(actor, "--json")
        house.wait_until(lambda: self.pair.actor("request", actor, "1") and self.readable(logs), "a line")
        logs.send_signal(signal.SIGSTOP)
        self.pair.actor("request", actor, "200000")  # more than sockets and queues hold
        self.pair.actor("list")  # others are answered meanwhile
        logs.send_signal(signal.SIGCONT)
        self.pair.actor("stop", actor)
        out, _ = logs.communicate(timeout=house.LIMIT_S)
        self.assertEqual(logs.returncode, 0)
        lines = [json.loads(line) for line in out.splitlines()]
        missed = sum(line.get("missed", 0) for line in lines)
        self.assertGreater(missed, 0)
        events = self.pair.actor_json("show", actor)[0]["events"]
        # Whatever came before it followed apart: every log event is a line, or counted as missed.
        first = lines[0]["sequence"]
        stored = house.wait_until(lambda: self.status_of("burst") == "complete" and self.stored_logs(first), "it is stored")
        self.assertEqual(stored, missed + sum("text" in line for line in lines), f"of {events} events")

    def stored_logs(self, first):
        found = self.events("burst", "--store", "store", "--from", first)
        return sum(event["type"].endswith("/log") for event in found)

    def test_a_json_log_names_actor_and_event(self):
        text = (self.folder / "node.toml").read_text()
        self.pair.write("node.toml", text.replace("[metrics]", '[log]\nformat = "json"\n\n[metrics]'))
        self.pair.start_auditor()
        self.pair.start_node()
        actor = self.pair.spawn("counter")
        self.pair.actor("request", actor, "5", "--durable")
        self.pair.stop()
        lines = [json.loads(line) for line in self.pair.node.said().splitlines()]
        self.assertEqual({line["who"] for line in lines}, {"node-a"})
        added, = [line for line in lines if line["message"] == "added"]
        self.assertEqual((added["actor"], added["name"]), (actor, "counter"))
        logged, = [each for each in self.events("counter", "--store", "store") if each["type"].endswith("/log")]
        self.assertEqual(added["event"], logged["hash"])


class Actors(Seen):
    def test_list_show_and_tree_tell_how_actors_are(self):
        self.pair.start()
        self.assertIn("no actors", self.pair.actor("tree").stderr)
        actor = self.pair.spawn("counter")
        self.pair.actor("request", actor, "5")
        shown, = self.pair.actor_json("show", actor)
        self.assertEqual((shown["restarts"], shown["parent"], shown["strategy"], shown["children"]), (0, "", "", []))
        self.assertGreater(shown["fuel"], 0)
        self.assertGreater(shown["memory_bytes"], 0)
        self.assertRegex(self.pair.actor("show", actor).stdout, r"\nmailbox   0 messages, 0 B\n")
        self.assertEqual(self.pair.actor("tree").stdout, f"counter {actor[:12]}  idle\n")
        self.assertEqual(self.pair.actor("tree", "counter").stdout, f"counter {actor[:12]}  idle\n")
        tree, = self.pair.actor_json("tree")
        self.assertEqual((tree["actor"], tree["depth"]), (actor, 0))
        self.pair.actor("stop", actor)
        self.assertIn("has ended", self.pair.actor("tree", actor, code=3).stderr)

    def test_children_stand_under_their_supervisor_and_tell_of_their_restarts(self):
        self.pair.start()
        child = '[[child]]\nid = "{}"\nmanifest = "{}"\n'
        self.pair.write("shop.toml", 'name = "shop"\n' + "".join(f'[[handler]]\ntype = "{each}"\n' for each in ("runtime", "message-server"))
                        + '[supervisor]\nstrategy = "rest_for_one"\n'
                        + child.format("till", self.manifest("counter")) + child.format("door", self.manifest("burst")))
        shop = self.pair.actor("spawn", "shop.toml").stdout.strip()
        till, door = self.family(shop)
        self.assertEqual(self.pair.actor("tree").stdout,
                         f"shop {shop[:12]}  rest_for_one  idle\n"
                         f"├─ door: burst {door[:12]}  idle\n"
                         f"└─ till: counter {till[:12]}  idle\n")
        shown, = self.pair.actor_json("show", till)
        self.assertEqual((shown["parent"], shown["child_id"], shown["restarts"]), (shop, "till", 0))
        self.pair.actor("kill", till)
        house.wait_until(lambda: self.restarts() == {"till": 1, "door": 1}, "both are restarted")
        self.assertIn("till: counter", self.pair.actor("tree", "shop").stdout)
        self.assertIn("1 restart\n", self.pair.actor("tree", "shop").stdout)
        house.wait_until(lambda: Scraped(self.node_port)["theater_actor_restarts_total"] == 2, "they are counted")
        new_till, new_door = self.family(shop)
        self.assertEqual({till, door} & {new_till, new_door}, set())
        self.pair.stop()

    def family(self, shop):
        """The living children's ids, first the till's."""
        shown, = self.pair.actor_json("show", shop)
        children = [self.pair.actor_json("show", child)[0] for child in shown["children"]]
        return [child["actor"] for child in sorted(children, key=lambda child: child["child_id"], reverse=True)]

    def restarts(self):
        return {each["child_id"]: each["restarts"] for each in self.pair.actor_json("tree") if each["parent"]}


if __name__ == "__main__":
    unittest.main()
