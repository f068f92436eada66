"""An auditor that was away gets what it missed from another one, and whoever may ask is said in a file."""
import unittest

import house


class Backfill(house.Case):
    def setUp(self):
        super().setUp()
        for who in ("node", "a", "b"):
            self.theater("keys", "new", f"keys/{who}")
        self.key = {who: (self.folder / "keys" / f"{who}.pub").read_text().strip() for who in ("node", "a", "b")}
        self.port = {f"{who}-{door}": f"tcp://127.0.0.1:{house.free_port()}"
                     for who in ("a", "b") for door in ("data", "control", "serve")}
        self.authorize("a")
        self.authorize("b")
        self.auditor_config("a")
        self.auditor_config("b", f"""
backfill_interval = "200 ms"

[[peer]]
name = "a"
endpoint = "{self.port["a-serve"]}"
key = "keys/a.pub"
""")
        auditors = "".join(f"""
[[auditor]]
name = "{who}"
data = "{self.port[f"{who}-data"]}"
control = "{self.port[f"{who}-control"]}"
key = "keys/{who}.pub"
window = "512 KiB"
""" for who in ("a", "b"))
        self.write("node.toml", f'key = "keys/node.key"\ncontrol = "unix:node.sock"\n{auditors}')
        self.write("lax.toml", f"""
name = "burst"
package = "{house.EXAMPLES}/burst/burst.wasm"
[[handler]]
type = "runtime"
[[handler]]
type = "message-server"
[audit]
mode = "best-effort"
""")

    def write(self, name, text):
        (self.folder / name).write_text(text.lstrip())

    def authorize(self, who, *others):
        lines = [f"node {self.key['node']} node", *(f"auditor {self.key[other]} {other}" for other in others)]
        self.write(f"keys/{who}.authorized", "\n".join(lines) + "\n")

    def auditor_config(self, who, more=""):
        self.write(f"{who}.toml", f"""
store = "store-{who}"
key = "keys/{who}.key"
data = "{self.port[f"{who}-data"]}"
control = "{self.port[f"{who}-control"]}"
authorized_keys = "keys/{who}.authorized"
serve = "unix:{who}.sock"
serve_tcp = "{self.port[f"{who}-serve"]}"
{more}""")

    def start_auditor(self, who):
        return self.start("theater-auditor", "auditor", "start", "--config", f"{who}.toml").wait_for("ready")

    def status(self, who="b"):
        found, = self.theater_json("auditor", "status", "--config", f"{who}.toml")
        return found

    def link(self, who):
        links = self.theater_json("node", "status", "--node", "unix:node.sock")
        return next(each for each in links if each["auditor"] == who)

    def request(self, count):
        self.theater("actor", "request", "burst", str(count), "--node", "unix:node.sock")

    def test_what_was_dropped_while_it_was_away_comes_from_the_other_one(self):
        a, b = self.start_auditor("a"), self.start_auditor("b")
        node = self.start("theater", "node", "start", "--config", "node.toml").wait_for("ready")
        node.wait_for("connected to auditor b")
        self.theater("actor", "spawn", "lax.toml", "--node", "unix:node.sock")
        self.request(10)
        b.kill()
        for _ in range(12):  # more than fits b's window, and never more at once than fits a's
            self.request(500)
            house.wait_until(lambda: self.link("a")["unacknowledged_events"] == 0, "a has it all")
        self.assertEqual(self.status("a")["gaps"], 0)
        b = self.start_auditor("b")
        house.wait_until(lambda: self.link("b")["connected"], "b is back")
        self.request(10)
        house.wait_until(lambda: self.status()["gaps"] > 0, "b knows that something is missing")
        house.wait_until(lambda: "refuse" in self.status()["peers"][0]["last_result"], "a lets nobody in that it doesn't know")
        self.assertEqual(self.status()["backfilled"], 0)

        self.authorize("a", "b")  # without a restart
        self.request(10)
        house.wait_until(lambda: self.status()["gaps"] == 0, "nothing is missing any more")
        now = self.status()
        self.assertGreater(now["backfilled"], 100)
        self.assertEqual(now["evidence"], 0)
        self.assertEqual(now["peers"][0]["events"], now["backfilled"])
        self.assertIn("a ", self.theater("auditor", "status", "--config", "b.toml").stdout)
        self.theater("actor", "stop", "burst", "--node", "unix:node.sock")
        self.assertEqual(node.stop(), 143, node.said())
        house.wait_until(lambda: self.status()["gaps"] == 0, "nor of what followed")
        for auditor in (a, b):
            self.assertEqual(auditor.stop(), 143, auditor.said())
        heads = []
        for store in ("store-a", "store-b"):
            self.theater("chain", "verify", "--require-complete", "--store", store)
            self.theater("chain", "verify", "burst", "--require-complete", "--store", store)
            self.theater("replay", "burst", "--store", store)
            heads.append({chain["actor"]: (chain["head"], chain["events"])
                          for chain in self.theater_json("chain", "list", "--store", store)})
        self.assertEqual(heads[0], heads[1])

    def test_who_is_no_auditor_gets_no_events(self):
        self.start_auditor("a")
        self.authorize("a")
        (self.folder / "keys" / "a.authorized").write_text(f"node {self.key['node']} node\nreader {self.key['b']} b\n")
        place = ("--endpoint", self.port["a-serve"], "--auditor-key", "keys/a.pub", "--key", "keys/b.key")
        house.wait_until(lambda: self.looks(place), "a has read its keys again")
        self.theater("auditor", "status", "--config", "node.toml", code=1)
        self.theater("auditor", "status", code=2)

    def looks(self, place):
        try:
            return self.theater("auditor", "status", *place).stdout
        except AssertionError:
            return None


if __name__ == "__main__":
    unittest.main()
