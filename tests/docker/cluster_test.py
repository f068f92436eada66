#!/usr/bin/env python3
"""Brings up docker-compose.yml for real, with the binaries of build/release: an actor on each node, both chains read from
both auditors, both verified, one replayed; and an auditor that is off the network for a while. Exit 77 where that can't be
done, with the reason.

    cluster_test.py SOURCE_FOLDER BUILD_FOLDER
"""
import json
import os
import subprocess
import sys
import time

AWAY_S = 10  # longer than a link takes to give the other side up

root, build = sys.argv[1], sys.argv[2]
environment = os.environ | {
    "COMPOSE_PROJECT_NAME": f"theater-test-{os.getpid()}",
    "THEATER_BINARIES": "prebuilt",
    "THEATER_TAG": f"test-{os.getpid()}",
    "COMPOSE_ANSI": "never",
    "COMPOSE_PROGRESS": "plain",
}


def run(*command, check=True):
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(command)}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}")
    return done


def compose(*arguments, check=True):
    return run("docker", "compose", *arguments, check=check)


def skip_unless_possible():
    def skip(why):
        print(f"skipped: {why}")
        sys.exit(77)

    try:
        if run("docker", "info", check=False).returncode != 0:
            skip("no Docker engine answers")
    except FileNotFoundError:
        skip("docker is not installed")
    if run("docker", "compose", "version", check=False).returncode != 0:
        skip("docker has no compose plugin")
    if os.path.realpath(build) != os.path.realpath(os.path.join(root, "build", "release")):
        skip("the images take the binaries of build/release only")
    if run("docker", "image", "inspect", "debian:bookworm-slim", check=False).returncode != 0 and \
       run("docker", "pull", "debian:bookworm-slim", check=False).returncode != 0:
        skip("the image debian:bookworm-slim is neither there nor to be had")


def on(service, *command):
    """The standard output of a command in a running service."""
    return compose("exec", "-T", service, *command).stdout.strip()


def expect(condition, what):
    if not condition:
        raise AssertionError(what)


def spawn(node, example):
    return on(node, "theater", "actor", "spawn", f"/usr/share/theater/examples/{example}/manifest.toml")


def verified(auditor, actor):
    """What an auditor says of a chain."""
    line = json.loads(on(auditor, "theater-auditor", "chain", "verify", actor, "--json"))
    expect(line["status"] == "complete", f"{auditor}: {line}")
    return line["events"], line["head"]


def requests_while_away(auditor, counter):
    """Takes an auditor off the network, and on again. What is asked meanwhile is answered as durable once it is back, not before."""
    container = compose("ps", "--quiet", auditor).stdout.strip()
    network = f"{environment['COMPOSE_PROJECT_NAME']}_default"
    run("docker", "network", "disconnect", network, container)
    asked = []
    try:
        for _ in range(2):
            asked.append(subprocess.Popen(
                ["docker", "compose", "exec", "-T", "node-1", "theater", "actor", "request", counter, "1", "--durable",
                 "--timeout-ms", "60000"], cwd=root, env=environment, stdout=subprocess.PIPE, text=True))
            time.sleep(AWAY_S / 2)
        expect(all(request.poll() is None for request in asked), f"a durable answer without {auditor}")
        run("docker", "network", "connect", "--alias", auditor, network, container)
        begin = time.monotonic()
        answers = [request.communicate(timeout=90)[0].strip() for request in asked]
        print(f"{auditor} was away for {AWAY_S} s, then {time.monotonic() - begin:.1f} s until all was durable")
    finally:
        for request in asked:
            request.kill()
    return answers[-1]


def play():
    compose("build")
    compose("up", "--detach", "--wait", "--wait-timeout", "120")

    counter = spawn("node-1", "counter")
    echo = spawn("node-2", "echo")
    expect(on("node-1", "theater", "actor", "request", counter, "5", "--durable") == "5", "the counter's first answer")
    expect(on("node-1", "theater", "actor", "request", counter, "37", "--durable") == "42", "the counter's second answer")
    expect(on("node-2", "theater", "actor", "request", echo, "hello", "--durable") == "hello", "the echo")
    expect(requests_while_away("auditor-2", counter) == "44", "the counter after an auditor was away")
    on("node-1", "theater", "actor", "stop", counter)
    on("node-2", "theater", "actor", "stop", echo)

    for actor in (counter, echo):
        first, second = verified("auditor-1", actor), verified("auditor-2", actor)
        expect(first == second, f"the auditors hold {first} and {second} of {actor}")
        print(f"{actor}: {first[0]} events, head {first[1]}, complete at both auditors")

    line = json.loads(compose("run", "--rm", "-T", "replay", counter, "--json").stdout)
    expect(line["status"] == "same" and line["matched"] == line["events"], f"replay: {line}")
    print(f"replayed {counter}: {line['matched']} of {line['events']} events the same")


def main():
    skip_unless_possible()
    try:
        play()
    except (AssertionError, ValueError, KeyError) as failure:
        print(failure)
        print(compose("ps", "--all", check=False).stdout)
        print(compose("logs", "--tail", "40", check=False).stdout[-8000:])
        sys.exit(1)
    finally:
        compose("--profile", "tools", "down", "--volumes", "--timeout", "20", check=False)
        for image in ("theater-node", "theater-auditor"):
            run("docker", "image", "rm", f"{image}:{environment['THEATER_TAG']}", check=False)


if __name__ == "__main__":
    main()
