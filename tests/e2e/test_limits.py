"""A node's policy, what it refuses, and the compiled packages that it keeps: as an operator meets them."""
import unittest

import house


class Limits(house.Case):
    def setUp(self):
        super().setUp()
        self.pair = house.Pair(self)
        config = (self.folder / "node.toml").read_text()
        self.pair.write("node.toml", config.replace("[[auditor]]", """
[limits]
memory_max = "32 MiB"
instances_max = 20

[policy]
handlers = ["runtime", "message-server"]
memory = "16 MiB"
fuel = 1000000000
audit = "strict"

[modules]
folder = "modules"

[[auditor]]"""))

    def write_manifest(self, name, package, more):
        path = self.folder / name
        path.write_text(f"""
name = "{name.split('.')[0]}"
package = "{package}"
{more}""")
        return path

    def counter(self, name, memory="16 MiB", fuel="fuel = 1000000000", more=""):
        return self.write_manifest(name, house.EXAMPLES / "counter" / "counter.wasm", f"""
[[handler]]
type = "runtime"
[[handler]]
type = "message-server"
[limits]
memory = "{memory}"
{fuel}
{more}""")

    def test_what_the_policy_forbids_is_said_beforehand_and_refused_and_recorded(self):
        bad = {
            self.counter("greedy.toml", memory="17 MiB"): ("limits.memory of 'greedy' is 17 MiB", "policy.memory"),
            self.counter("endless.toml", fuel=""): ("limits.fuel of 'endless' is no limit", "policy.fuel"),
            self.counter("lax.toml", more='[audit]\nmode = "best-effort"\n'): ("audit.mode of 'lax'", "policy.audit"),
            self.counter("sleepy.toml", more='[[handler]]\ntype = "timing"\n'): ("'sleepy' is timing", "policy.handlers"),
        }
        good = self.counter("good.toml")
        for path, texts in bad.items():
            checked = self.theater("node", "check", "--config", "node.toml", "--manifest", path, "--manifest", good, code=8)
            self.assertIn("'good' is within the policy", checked.stdout)
            for text in texts:
                self.assertIn(text, checked.stdout)
        self.pair.start()
        for path, texts in bad.items():
            refused = self.pair.actor("spawn", path, code=8).stderr
            for text in texts:
                self.assertIn(text, refused)
        actor = self.pair.actor("spawn", good).stdout.strip()
        self.assertEqual(self.pair.actor("request", actor, "5").stdout, "5\n")
        self.pair.stop()
        node, = [each["actor"] for each in self.theater_json("chain", "list", "--store", "store") if each["node_chain"]]
        shown = self.theater("chain", "show", node, "--store", "store").stdout
        self.assertEqual(shown.count("node/refused-spawn"), len(bad), shown)
        for _, key in bad.values():
            self.assertIn(key, shown)
        # The engine that replays is made as this node's was, with 32 MiB.
        replayed, = self.theater_json("replay", actor, "--store", "store")
        self.assertEqual((replayed["status"], replayed["same_profile"]), ("same", True))
        self.theater("chain", "verify", "--require-complete", "--store", "store")

    def test_a_spawn_storm_over_the_instances_limit(self):
        self.pair.start()
        good = self.counter("good.toml", fuel='fuel = 1000000000\npassivate_after = "0 s"')  # none makes room for another
        first = self.pair.actor("spawn", good).stdout.strip()
        for _ in range(19):
            self.pair.actor("spawn", good)
        for _ in range(5):
            self.assertIn("limits.instances_max", self.pair.actor("spawn", good, code=7).stderr)
        self.assertEqual(self.pair.actor("request", first, "5").stdout, "5\n")
        self.pair.actor("stop", first)
        self.pair.actor("spawn", good)
        self.pair.stop()

    def test_compiled_packages_are_kept_and_a_bad_file_is_replaced(self):
        self.pair.start_auditor()
        manifest = self.counter("good.toml")

        def run():
            self.pair.start_node()
            actor = self.pair.actor("spawn", manifest).stdout.strip()
            self.assertEqual(self.pair.actor("request", actor, "5").stdout, "5\n")
            kept = house.wait_until(lambda: list((self.folder / "modules").glob("*.module")), "a package is kept")
            self.assertEqual(self.pair.node.stop(), 143, self.pair.node.said())
            return kept[0], self.pair.node.said()

        kept, _ = run()
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)
        before, written = kept.read_bytes(), kept.stat().st_ino
        _, said = run()
        self.assertEqual(kept.stat().st_ino, written)  # used, not written again
        self.assertNotIn("refused", said)

        for bad in (before[:-1], before[:5000], before[:-40] + bytes([before[-40] ^ 1]) + before[-39:], b"not ours"):
            kept.write_bytes(bad)
            _, said = run()
            self.assertIn(f"refused modules/{kept.name}", said)
            self.assertNotEqual(kept.read_bytes(), bad)
            _, said = run()
            self.assertNotIn("refused", said)

    def test_a_folder_for_packages_that_cannot_be(self):
        (self.folder / "modules").write_text("a file")
        self.assertIn("modules: ", self.theater("node", "check", "--config", "node.toml", code=1).stdout)
        self.assertIn("modules", self.theater("node", "start", "--config", "node.toml", code=1).stderr)


if __name__ == "__main__":
    unittest.main()
