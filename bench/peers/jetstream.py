#!/usr/bin/env python3
"""Events a second into nats-server's file store, and end_to_end of theater-bench, in turns on the same disk.

Needs nats-server, libnats-dev, a C compiler and a built theater-bench. Prints both sides, their settings and the ratios.
A server that knows no `sync_interval` (before 2.10) can't sync before it acknowledges: then there is no synced side.
"""
import argparse
import json
import os
import pathlib
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
MAX_PENDING = 4000  # messages without an ack that the client allows itself


def fail(message):
    sys.exit(f"jetstream.py: {message}")


def output(command, **more):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    if done.returncode != 0:
        fail(f"{' '.join(map(str, command))} failed ({done.returncode}):\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def config(store, port, synced):
    sync = ", sync_interval: always" if synced else ""
    return f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{store}"{sync} }}\n'


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def can_sync(server, folder):
    """Asks the server itself whether it takes the setting."""
    path = folder / "asked.conf"
    path.write_text(config(folder / "asked", 4222, True))
    done = subprocess.run([server, "-t", "-c", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0 and "sync_interval" not in done.stdout:
        fail(f"nats-server refuses its configuration: {done.stdout}")
    return done.returncode == 0


def jetstream(server, publisher, folder, options, per_message, synced):
    """One run on an empty store."""
    store = folder / "nats"
    port = free_port()
    path = folder / "nats.conf"
    path.write_text(config(store, port, synced))
    with open(folder / "nats.log", "w") as log:
        process = subprocess.Popen([server, "-c", path], stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 20
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                if process.poll() is not None or time.monotonic() > deadline:
                    fail(f"nats-server does not answer:\n{(folder / 'nats.log').read_text()}")
                time.sleep(0.05)
        events = options.events // per_message * per_message
        return float(output([publisher, f"nats://127.0.0.1:{port}", str(events), str(options.bytes), str(per_message),
                             str(MAX_PENDING)], timeout=600))
    finally:
        process.terminate()
        process.wait(30)
        shutil.rmtree(store, ignore_errors=True)


def theater(bench, folder):
    """One run of end_to_end: one auditor process, CURVE, verified, synced before it is acknowledged."""
    line = output([bench, "--json", "--filter", "end_to_end$", "--runs", "1", "--dir", folder / "theater"], timeout=600)
    return json.loads(line)["median"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default=str(HERE.parents[1] / "build/release/bin/theater-bench"))
    parser.add_argument("--dir", default=".", help="a folder on the disk that is measured (not tmpfs)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--events", type=int, default=640_000, help="in each run of JetStream")
    parser.add_argument("--bytes", type=int, default=288, help="of an event in JetStream")
    options = parser.parse_args()
    server = shutil.which("nats-server") or shutil.which("nats-server", path="/usr/sbin:/usr/local/sbin")
    if server is None:
        fail("there is no nats-server (Debian: apt install nats-server libnats-dev)")
    if not os.access(options.bench, os.X_OK):
        fail(f"there is no {options.bench}; build theater-bench or name it with --bench")

    with tempfile.TemporaryDirectory(prefix="jetstream-", dir=options.dir) as name:
        folder = pathlib.Path(name).resolve()
        publisher = folder / "jetstream_publish"
        output([os.environ.get("CC", "cc"), "-std=gnu11", "-O2", "-Wall", "-Wextra", "-o", publisher,
                HERE / "jetstream_publish.c", "-lnats"])
        syncs = can_sync(server, folder)
        cases = [(per, synced) for synced in ([False, True] if syncs else [False]) for per in (1, 64)]
        theirs = {case: [] for case in cases}
        ours = []
        for _ in range(options.runs):  # in turns, so that a slow minute of the machine meets both
            ours.append(theater(options.bench, folder))
            for case in cases:
                theirs[case].append(jetstream(server, publisher, folder, options, *case))

    print(f"host        {platform.machine()}, {os.cpu_count()} cores, Linux {platform.release()}")
    print(f"runs        {options.runs} of each, in turns; medians (smallest to largest)")
    print(f"JetStream   {output([server, '--version'])}; libnats, js_PublishAsync, {MAX_PENDING} messages in flight;"
          f" file storage, no replicas, no TLS; {options.events:,} events of {options.bytes} B")
    print("            unsynced: the server's defaults; an ack does not wait for the disk")
    print("            synced: " + ("sync_interval: always" if syncs else
                                   "none; this server knows no sync_interval, so synced is not compared"))
    print("theater     end_to_end: one chain, hashed and verified, CURVE, synced before the ack; log calls of 64 B;"
          " frames as full as the node makes them, in both comparisons;\n"
          "            events are not of JetStream's size (bench/README.md)")
    median = statistics.median(ours)
    print(f"\n{'theater, synced':<34}{median:>12,.0f} events/s  ({min(ours):,.0f} to {max(ours):,.0f})")
    for (per, synced), rates in theirs.items():
        label = f"JetStream, {'synced' if synced else 'unsynced'}, {per} a message"
        print(f"{label:<34}{statistics.median(rates):>12,.0f} events/s  ({min(rates):,.0f} to {max(rates):,.0f})"
              f"  ratio {median / statistics.median(rates):.2f}")


if __name__ == "__main__":
    main()
