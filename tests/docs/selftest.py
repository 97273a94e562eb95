#!/usr/bin/python3
"""What tests/docs/run.py must find: pages that do not keep to the convention, and outputs that differ."""

import os
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import blocks  # noqa: E402
import run  # noqa: E402
import world  # noqa: E402


def parsed(text):
    return blocks.parse("page.md", text)


class Convention(unittest.TestCase):
    def test_a_block_that_says_nothing(self):
        self.assertFalse(parsed("words\n\n```sh\nls\n```\n")[0].settled)
        self.assertFalse(parsed("words\n\n    ls\n")[0].settled)

    def test_a_block_that_is_run(self):
        block, = parsed("<!-- run: fresh postgres -->\n```sh\nls\n```\n")
        self.assertEqual((block.run, block.language, block.text, block.line), (["fresh", "postgres"], "sh", "ls\n", 2))
        self.assertTrue(block.settled)

    def test_a_reason_that_readers_see(self):
        page = "Then (not run by the tests: needs a cluster):\n\n```sh\nkubectl get nodes\n```\n"
        self.assertTrue(parsed(page)[0].settled)
        self.assertFalse(parsed(page.replace("(not run by the tests: needs a cluster)", "this")) [0].settled)
        # Two paragraphs before is too far away, and one reason is not for two blocks.
        self.assertFalse(parsed("(not run by the tests: x)\n\nwords\n\n```sh\nls\n```\n")[0].settled)
        self.assertFalse(parsed(page + "\n```sh\nls\n```\n")[1].settled)

    def test_files_and_words(self):
        kinds = [block.language for block in parsed("```toml\na = 1\n```\n<!-- json -->\n\n    {}\n\n```text\nx\n```\n```\ny\n```\n")]
        self.assertEqual(kinds, ["toml", "json", "text", "text"])

    def test_mistakes(self):
        for page in ("<!-- rnu -->\n```sh\nls\n```\n", "```sh\nls\n", "```cobol\nx\n```\n", "words\n<!-- run -->\n",
                     "(not run by the tests: x)\n<!-- run -->\n```sh\nls\n```\n"):
            with self.subTest(page), self.assertRaises(blocks.BadPage):
                parsed(page)

    def test_commands_stay_together(self):
        text = "one \\\n  more\nfor i in 1 2; do\n  two\ndone\ncat >f <<END\nthree\nEND\nfour\n"
        self.assertEqual(list(world._commands(text)), ["one \\\n  more", "for i in 1 2; do\n  two\ndone",
                                                       "cat >f <<END\nthree\nEND", "four"])


class Checks(unittest.TestCase):
    def test_output(self):
        self.assertTrue(run.matches("a\nb ... d", "a\nb c d\n"))
        self.assertTrue(run.matches("a\n...\nz", "a\nb\nc\nz"))
        self.assertTrue(run.matches("...\nz", "z"))
        self.assertFalse(run.matches("a", "a\nb"))
        self.assertFalse(run.matches("a.c", "abc"))

    def test_files(self):
        for language, good, bad in (("yaml", "a: [1]\n", "a: [1\n"), ("json", '{"a": 1}\n{}', '{"a": }'), ("ini", "b = 1\n", "[a\n"),
                                    ("python", "x = 1\n", "x = = 1\n")):
            with self.subTest(language):
                run._CHECKS[language](None, good)
                with self.assertRaises(Exception):
                    run._CHECKS[language](None, bad)

    def test_links(self):
        with tempfile.TemporaryDirectory() as root:
            with open(os.path.join(root, "a.md"), "w", encoding="utf-8") as file:
                file.write("# The `first`, part 1\n")
            text = "[x](a.md#the-first-part-1) [y](a.md#none) [z](b.md) [w](https://example.com/)"
            self.assertEqual(list(blocks.broken_links(root, "c.md", text)), [(1, "a.md#none", ""), (1, "b.md", "b.md")])


if __name__ == "__main__":
    unittest.main()
