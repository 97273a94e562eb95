#!/usr/bin/env python3
"""Shows that each rule of tidy.py catches what it is for, and lets the permitted neighbour pass."""

import os
import sys
import tempfile
import unittest

import cpp
import tidy


class Rules(unittest.TestCase):
    """Each test writes a small tree and reads the problems found in it."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="lattice-tidy-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def problems(self, **files):
        for name, text in files.items():
            path = os.path.join(self.root, name.replace("__", "/").replace("_DOT_", "."))
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        return tidy.check(self.root)

    def assert_only(self, problems, *parts):
        self.assertEqual(len(problems), len(parts), problems)
        for problem, part in zip(problems, parts):
            self.assertIn(part, problem)

    def test_arrows(self):
        self.assert_only(self.problems(src__proxy__a_DOT_cc='#include "keyspace/keyspace.h"\n#include "loop/loop.h"\n'),
                         "src/proxy/a.cc:1: src/proxy may not include keyspace/keyspace.h")
        self.assert_only(self.problems(src__proxy__a_DOT_cc='#include "base/ids.h"\n'))
        self.assert_only(self.problems(src__base__b_DOT_cc='#include "config/config.h"\n'), "src/base may not include")
        self.assert_only(self.problems(src__base__b_DOT_cc="",
                                       src__backends__sqlite__s_DOT_cc='#include "backends/postgres/log.h"\n'),
                         "src/backends/sqlite may not include backends/postgres/log.h")

    def test_stream_interface(self):
        self.assert_only(self.problems(src__etcd__a_DOT_cc='#include "proxy/call.h"\n#include "proxy/listener.h"\n'),
                         "a.cc:2: src/etcd sees only the stream interface")

    def test_unknown_folder(self):
        self.assert_only(self.problems(src__magic__a_DOT_cc="\n"), "no entry in tests/tidy/rules.py")

    def test_libraries(self):
        self.assert_only(self.problems(src__etcd__a_DOT_cc="#include <nghttp2/nghttp2.h>\n"), "belongs to src/proxy")
        self.assert_only(self.problems(src__etcd__a_DOT_cc="", src__proxy__a_DOT_cc="#include <nghttp2/nghttp2.h>\n"))

    def test_pure_folders(self):
        self.assert_only(self.problems(src__lease__a_DOT_cc="#include <random>\n#include <vector>\n"), "is pure")
        self.assert_only(self.problems(src__lease__a_DOT_cc="#include <sys/time.h>\n"), "is pure")

    def test_clocks(self):
        text = "int f() {\n  return std::chrono::system_clock::now().time_since_epoch().count();\n}\n"
        self.assert_only(self.problems(src__replica__a_DOT_cc=text), "a.cc:2: wall clock")
        self.assert_only(self.problems(src__replica__a_DOT_cc="", src__telemetry__a_DOT_cc=text))
        self.assert_only(self.problems(src__telemetry__a_DOT_cc="", src__server__a_DOT_cc="auto t = time(nullptr);\n"),
                         "wall clock")
        self.assert_only(self.problems(src__server__a_DOT_cc="auto t = message.time();  // system_clock\n"))

    def test_sleep_random_locks(self):
        self.assert_only(self.problems(src__server__a_DOT_cc="void f() { sleep(1); }\n"), "sleep")
        self.assert_only(self.problems(src__server__a_DOT_cc="int f() { return rand(); }\n"), "pseudo-random")
        self.assert_only(self.problems(src__server__a_DOT_cc="", src__replica__a_DOT_cc="#include <mutex>\n"), "locks")

    def test_naked_new(self):
        self.assert_only(self.problems(src__base__a_DOT_cc="int* f() { return new int; }\n"), "naked-new: 1")
        self.assert_only(self.problems(src__base__a_DOT_cc="void f(int* p) { delete p; }\n"), "naked-new: 1")
        self.assert_only(self.problems(src__base__a_DOT_cc="struct A {\n  A(A&) = delete;  // a new one\n};\n"
                                       "auto f() { return std::unique_ptr<A>(new A); }\n"))

    def test_exceptions_only_shrink(self):
        source = "int* f() { return new int; }\n"
        self.assert_only(self.problems(src__base__a_DOT_cc=source, tests__tidy__exceptions_DOT_txt="naked-new src/base/a.cc 1\n"))
        self.assert_only(self.problems(tests__tidy__exceptions_DOT_txt="naked-new src/base/a.cc 2\n"), "lower its entry")
        self.assert_only(self.problems(src__base__a_DOT_cc="\n"), "within the limit")

    def test_lengths(self):
        self.assert_only(self.problems(src__base__a_DOT_cc="int a;\n" * 401), "file-lines: 401, allowed 400")
        body = "  g();\n" * 69
        self.assert_only(self.problems(src__base__a_DOT_cc=f"namespace n {{\nvoid f() {{\n{body}}}\n}}\n"),
                         "function-lines: 71")
        self.assert_only(self.problems(src__base__a_DOT_cc=f"namespace n {{\nvoid f() {{\n{body[7:]}}}\n}}\n"))
        self.assert_only(self.problems(src__base__a_DOT_cc="int " + "a" * 100 + ";\n"), "105 columns")

    def test_python_lengths(self):
        self.assert_only(self.problems(tests__a_DOT_py="def f():\n" + "    g()\n" * 70), "function-lines: 71")

    def test_headers(self):
        self.assert_only(self.problems(src__base__a_DOT_h="int a;\n"), "opens with a comment", "pragma once",
                         "nothing includes")
        self.assert_only(self.problems(src__base__a_DOT_h="// A.\n#pragma once\n", src__base__a_DOT_cc='#include "base/a.h"\n'))

    def test_text(self):
        mark = "TO" + "DO"
        self.assert_only(self.problems(tests__a_DOT_py=f"a = 1  # {mark}: b\n"), "unfinished")
        self.assert_only(self.problems(tests__a_DOT_py="a = 1 \n"), "a blank at the end")


class Reading(unittest.TestCase):
    """Where functions begin and end."""

    def test_functions(self):
        text = ("namespace n {\nstruct A : B {\n  int x{0};\n  A(int y)\n      : x{y} {\n  }\n"
                "  int get() const { return x; }\n};\nint table[] = {\n  1,\n};\nauto f = [] {\n  if (a) {\n  }\n};\n"
                "TEST_CASE(\"x { y\") {\n  for (;;) {\n  }\n}\n}\n")
        lines = cpp.functions(cpp.without_comments(text))
        self.assertIn((4, 6), lines)
        self.assertIn((7, 7), lines)
        self.assertIn((16, 19), lines)

    def test_literals(self):
        self.assertNotIn("{", cpp.without_comments("a('{', \"{\", R\"x({)x\"); // {\n/* {\n */"))
        self.assertIn("1'000'000 {", cpp.without_comments("int a = 1'000'000 {"))


if __name__ == "__main__":
    sys.exit(unittest.main())
