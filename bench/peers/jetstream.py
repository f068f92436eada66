#!/usr/bin/env python3
"""vs_jetstream: what theater-bench calls end_to_end, beside the same number of bytes published into the file store of a NATS server,
on the same disk, in turns. Needs nats-server, libnats-dev and a C compiler; bench/README.md says how to run it.

    bench/peers/jetstream.py [--build FOLDER] [--dir FOLDER] [--runs N]

Both sides are told when their events are stored. Theater's are hashed, verified by another process and synced to the disk before
that; a NATS server acknowledges what it has written, and syncs later, unless it can be told otherwise (sync_interval: always, since
2.10).
"""
import argparse
import json
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

EVENT_BYTES = 288  # of one log call of 64 bytes, encoded, with its share of the frame
EVENTS = {1: 200_000, 64: 1_024_000}  # by events a message
EVENTS_SYNCED = {1: 2_000, 64: 128_000}
IN_FLIGHT_MAX = 4_096
SYNC_SINCE = (2, 10)
GOALS = {("unsynced", 1): "goal: at least 2.5", ("synced", 64): "goal: more than 1"}
START_LIMIT_S = 20


def parse():
    here = pathlib.Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", type=pathlib.Path, default=here.parent.parent / "build" / "release")
    parser.add_argument("--dir", type=pathlib.Path, default=pathlib.Path("bench-data"),
                        help="where both write to, on a disk")
    parser.add_argument("--runs", type=int, default=3)
    return here, parser.parse_args()


def output(*words):
    return subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A nats-server with an empty file store, until the end of the block."""

    def __init__(self, folder, synced):
        self.folder, self.synced, self.port = pathlib.Path(folder), synced, free_port()

    def __enter__(self):
        sync = "sync_interval: always" if self.synced else ""
        config = self.folder / "nats.conf"
        config.write_text(f"listen: 127.0.0.1:{self.port}\njetstream {{\n  store_dir: \"{self.folder / 'store'}\"\n  {sync}\n}}\n")
        self.log = open(self.folder / "nats.log", "wb")
        self.process = subprocess.Popen(["nats-server", "--config", config], stdout=self.log, stderr=self.log)
        end = time.monotonic() + START_LIMIT_S
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return f"nats://127.0.0.1:{self.port}"
            time.sleep(0.05)
        self.__exit__()
        sys.exit(f"nats-server didn't start: {(self.folder / 'nats.log').read_text()}")

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.log.close()


def ours(build, folder):
    line = output(build / "bin" / "theater-bench", "--filter", "end_to_end$", "--runs", "1", "--json", "--dir", folder)
    return json.loads(line)["median"]


def theirs(publish, folder, synced, batch):
    events = (EVENTS_SYNCED if synced else EVENTS)[batch]
    with tempfile.TemporaryDirectory(dir=folder, prefix="nats-") as store, Server(store, synced) as url:
        return float(output(publish, url, "events", events, EVENT_BYTES, batch, IN_FLIGHT_MAX))


def main():
    here, options = parse()
    for program in ("nats-server", "cc"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is not installed; see bench/README.md")
    options.dir.mkdir(parents=True, exist_ok=True)
    server = output("nats-server", "--version")
    version = tuple(map(int, re.search(r"(\d+)\.(\d+)", server).groups()))
    rows = [("unsynced", 1), ("unsynced", 64)]
    if version >= SYNC_SINCE:
        rows += [("synced", 1), ("synced", 64)]

    with tempfile.TemporaryDirectory(prefix="jetstream-") as built:
        publish = pathlib.Path(built) / "jetstream_publish"
        output("cc", "-O2", "-Wall", "-Wextra", "-o", publish, here / "jetstream_publish.c", "-lnats")
        header = subprocess.run(["cc", "-E", "-dM", "-include", "nats/version.h", "-xc", "/dev/null"], check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        client = re.search(r'NATS_VERSION_STRING\s+"([^"]*)"', header).group(1)
        print(f"{server}; C client {client}; {output(options.build / 'bin' / 'theater-bench', '--help').split()[0]} "
              f"of {options.build}")
        print(f"{EVENT_BYTES} B an event; at most {IN_FLIGHT_MAX} messages in flight; one stream, file storage, one replica; "
              f"{options.runs} runs in turns; both in {options.dir.resolve()}")
        if version < SYNC_SINCE:
            print("synced: left out, this server has no setting to sync before it acknowledges (sync_interval, since 2.10)")

        rates = {row: [] for row in [("ours", 1), *rows]}
        for _ in range(options.runs):
            rates["ours", 1].append(ours(options.build, options.dir / "theater"))
            for sync, batch in rows:
                rates[sync, batch].append(theirs(publish, options.dir, sync == "synced", batch))

    mine = statistics.median(rates["ours", 1])
    print(f"{'':34}{'events/s':>12}{'min':>12}{'max':>12}  ours / it")
    for (sync, batch), values in rates.items():
        name = "theater, synced" if sync == "ours" else f"jetstream, {sync}, {batch} a message"
        middle = statistics.median(values)
        ratio = "" if sync == "ours" else f"  {mine / middle:.2f}  {GOALS.get((sync, batch), '')}"
        print(f"{name:34}{middle:12,.0f}{min(values):12,.0f}{max(values):12,.0f}{ratio}")


if __name__ == "__main__":
    main()
