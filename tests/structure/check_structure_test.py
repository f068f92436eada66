#!/usr/bin/env python3
"""The structure check must be able to fail: each rule is broken once, in a tree of its own."""
import pathlib
import tempfile
import unittest

import check_structure

HEADER = "// Why.\n#pragma once\n"


class CheckStructure(unittest.TestCase):
    def found(self, files):
        """The violations in a tree of these files: path -> content."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            for path, content in files.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(content, encoding="utf-8")
            return check_structure.violations(root)[0]

    def assert_one(self, files, place, words):
        found = self.found(files)
        self.assertEqual(len(found), 1, found)
        self.assertTrue(found[0].startswith(place + ":"), found[0])
        self.assertIn(words, found[0])

    def test_a_good_tree_passes(self):
        self.assertEqual(self.found({
            "base/a.h": HEADER + "#include <string>\n#include <sys/stat.h>\n",
            "schema/b.cc": '#include "base/a.h"\n#include <capnp/message.h>\n#include "schema/event.capnp.h"\n',
        }), [])

    def test_an_include_against_the_direction(self):
        self.assert_one({"base/a.cc": '\n#include "node/x.h"\n', "node/x.h": HEADER}, "base/a.cc:2", "not node/")

    def test_node_and_persist_never_meet(self):
        self.assert_one({"node/a.cc": '#include "persist/x.h"\n', "persist/x.h": HEADER}, "node/a.cc:1", "not persist/")
        self.assert_one({"persist/a.cc": '#include "wasm/x.h"\n', "wasm/x.h": HEADER}, "persist/a.cc:1", "not wasm/")

    def test_an_include_that_leaves_out_the_folder(self):
        self.assert_one({"base/a.cc": '#include "a.h"\n', "base/a.h": HEADER}, "base/a.cc:1", "from the root")

    def test_an_include_of_nothing(self):
        self.assert_one({"base/a.cc": '#include "base/gone.h"\n'}, "base/a.cc:1", "does not exist")

    def test_a_library_away_from_home(self):
        self.assert_one({"node/a.cc": "#include <rocksdb/db.h>\n"}, "node/a.cc:1", "RocksDB stays in")
        self.assert_one({"node/a.cc": "#include <zmq.hpp>\n"}, "node/a.cc:1", "ZeroMQ stays in")
        self.assert_one({"cli/a.cc": "#include <wasmtime.h>\n"}, "cli/a.cc:1", "Wasmtime stays in")
        self.assert_one({"bus/a.cc": '#include "schema/event.capnp.h"\n'}, "bus/a.cc:1", "Cap'n Proto stays in")

    def test_a_library_nobody_decided_on(self):
        self.assert_one({"base/a.cc": "#include <boost/any.hpp>\n"}, "base/a.cc:1", "neither in PLATFORM")

    def test_a_header_without_a_reason(self):
        self.assert_one({"base/a.h": "#pragma once\n"}, "base/a.h:1", "opens with a comment")

    def test_a_header_without_a_guard(self):
        self.assert_one({"base/a.h": "// Why.\n"}, "base/a.h:1", "#pragma once")

    def test_a_file_that_is_too_long(self):
        self.assert_one({"base/a.cc": "int x;\n" * 601}, "base/a.cc:601", "two jobs")

    def test_a_map_that_is_stale(self):
        tree = {"base/a.cc": "", "bus/a.cc": ""}
        self.assertEqual(self.found(tree | {"ARCHITECTURE.md": "| `base/` | x |\n| `bus/` | y |\n"}), [])
        self.assert_one(tree | {"ARCHITECTURE.md": "| `base/` | x |\n"}, "ARCHITECTURE.md:1", "doesn't list bus/")
        self.assert_one(tree | {"ARCHITECTURE.md": "- `base/`\n- `bus/`\n- `gone/`\n"}, "ARCHITECTURE.md:3",
                        "lists gone/")


if __name__ == "__main__":
    unittest.main()
