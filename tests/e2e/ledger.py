"""What the record promised, and whether it kept it.

A request with --durable is answered once its events are durable at every strict auditor. A Ledger asks such requests, each with
an id of its own, notes which were answered, and in the end reads the auditor's store: every answered one must stand there exactly
once, with that answer, and every other at most once. Requests in flight when a node is killed are in doubt: nobody was promised
anything.
"""
import json
import random
import subprocess
import threading
import time

import house

BURST = 5_000
ANSWER_LIMIT_MS = 60_000
ON_ITS_WAY_S = 1
HANDLE = "theater:simple/message-server-client@0.1.0/handle-request"
LOG = "theater:simple/runtime@0.1.0/log"


def seed():
    """For random.Random; shown, so that whoever sees a failure can have the same choices again (not the same timing)."""
    chosen = random.SystemRandom().randrange(1 << 32)
    print(f"seed {chosen}")
    return chosen


class Ledger:
    def __init__(self, case, node="unix:node.sock"):
        self.case = case
        self.node = node
        self.answers = {}  # request's id -> answer
        self.asked = 0
        self.lock = threading.Lock()
        self.children = set()
        self.closed = False  # while the node is down

    def ask(self, actor, message, **more):
        """The answer, once durable. None if the request is in doubt."""
        with self.lock:
            if self.closed:
                return None
            self.asked += 1
            request = f"r{self.asked}"
            child = subprocess.Popen(
                ["theater", "actor", "request", actor, message, "--durable", "--json", "--request-id", request,
                 "--timeout-ms", str(ANSWER_LIMIT_MS), "--node", self.node],
                cwd=self.case.folder, env=house.environment(self.case.folder), stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **more)
            self.children.add(child)
        said, _ = child.communicate()
        with self.lock:
            self.children.discard(child)
            if child.returncode != 0:
                return None
            self.answers[request] = json.loads(said)["response"]["text"]
            return self.answers[request]

    def node_dies(self):
        """Who waits for an answer of a node that is gone may stop waiting."""
        with self.lock:
            self.closed = True
            for child in self.children:
                child.kill()

    def node_is_back(self):
        with self.lock:
            self.closed = False

    def answered(self):
        with self.lock:
            return len(self.answers)

    def expect_none(self, for_s, why):
        """Nothing is answered for so long, but for what was on its way to whoever asked."""
        time.sleep(ON_ITS_WAY_S)
        before = self.answered()
        time.sleep(for_s - ON_ITS_WAY_S)
        self.case.assertEqual(self.answered(), before, why)

    def check(self, complete=(), open=()):
        """Reads the whole store. Chains in `complete` must have their end, those in `open` can't, others may."""
        verified = {line["actor"]: line for line in self.case.theater_json("chain", "verify", "--store", "store")}
        found = self.case.theater_json("evidence", "list", "--store", "store")
        self.case.assertEqual(found, [], "what an honest node sends is no evidence")
        seen = {}
        for actor, line in verified.items():
            self.case.assertIn(line["status"], ("open", "complete"), line)
            events, requests = self.read(actor)
            self.case.assertEqual(events, line["events"], line)
            for request, answer in requests:
                self.case.assertNotIn(request, seen, f"{request} is on record twice")
                seen[request] = answer
        for status, actors in (("complete", complete), ("open", open)):
            for actor in actors:
                self.case.assertEqual(verified[actor]["status"], status, verified[actor])
        lost = {request: answer for request, answer in self.answers.items() if seen.get(request) != answer}
        self.case.assertEqual(lost, {}, "answered as durable, and not on record")
        self.case.assertGreater(len(self.answers), 0)
        return f"{len(self.answers)} of {self.asked} requests answered, all on record once; " \
               f"{sum(line['events'] for line in verified.values())} events in {len(verified)} chains verified"

    def read(self, actor):
        """How many events a chain has, and its requests with their answers (None where the chain breaks off before)."""
        shown = subprocess.Popen(["theater", "chain", "show", actor, "--json", "--store", "store"],
                                 cwd=self.case.folder, env=house.environment(self.case.folder), stdout=subprocess.PIPE,
                                 text=True)
        requests, logs, parent, events = [], 0, None, 0
        with shown.stdout:
            for events, line in enumerate(shown.stdout, 1):
                event = json.loads(line)
                self.case.assertEqual(event["sequence"], events - 1, f"{actor}: one is missing, or there twice")
                self.case.assertEqual(event.get("parent"), parent, f"{actor}: event {events - 1}")
                parent = event["hash"]
                if event["type"] == LOG:
                    logs += 1
                elif event["type"] == HANDLE and event["kind"] == "wasm-call":
                    requests.append([event["origin"]["request"], None])
                    logs = 0
                elif event["type"] == HANDLE and "ok" in event["results"][0]:
                    answer = event["results"][0]["ok"][1][0]["some"]["text"]
                    requests[-1][1] = answer
                    if answer == str(BURST):
                        self.case.assertIn(logs, (BURST, 1), f"{actor}: the burst that ends with event {events - 1}")
        self.case.assertEqual(shown.wait(house.LIMIT_S), 0)
        return events, requests


class Load:
    """Asks actors without a pause, one thread for each, until it ends. `actors` is filled again after each spawn."""

    def __init__(self, pair, ledger, burst=True):
        self.pair, self.ledger = pair, ledger
        self.messages = {"counter": "1"} | ({"burst": str(BURST)} if burst else {})
        self.actors = {}
        self.broken_off = []  # counters of nodes that were killed
        self.enough = threading.Event()
        self.failure = None
        self.threads = [threading.Thread(target=self.run, args=(name,)) for name in self.messages]

    def spawn_again(self):
        self.broken_off.append(self.actors["counter"])
        self.spawn()

    def spawn(self):
        self.actors = {name: self.pair.spawn(name) for name in self.messages}

    def run(self, name):
        try:
            while not self.enough.is_set():
                if self.ledger.ask(self.actors[name], self.messages[name]) is None:
                    self.enough.wait(0.02)
        except Exception as error:  # shown by the test, which is in another thread
            self.failure = error

    def __enter__(self):
        self.spawn()
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.enough.set()
        if kind is not None:
            self.ledger.node_dies()  # nobody may come back to answer
        for thread in self.threads:
            thread.join()
        if kind is None and self.failure is not None:
            raise self.failure

    def flows(self):
        """Asks one request of its own; the load goes on beside it."""
        answer = self.ledger.ask(self.actors["counter"], "1")
        self.pair.case.assertIsNotNone(answer, "a request in good times is answered")
