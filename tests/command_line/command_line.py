#!/usr/bin/python3
"""Help of every command, completion as bash runs it, the manual page, and `lattice benchmark` against a running server:

    command_line.py --lattice PATH
"""

import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, processes, protos  # noqa: E402

rpc = protos.rpc
PREFIX = b"lattice-benchmark/"


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60, **options)
    return done.returncode, done.stdout, done.stderr


class CommandLine(cases.ServerTest):
    def ok(self, *arguments):
        status, out, err = run(self.lattice, *arguments)
        self.assertEqual(status, 0, err)
        return out

    def commands(self):
        """Every command with what may follow it, as the completion script has them."""
        found = re.findall(r"^    '([^']*)'\) echo '([^']*)' ;;$", self.ok("completion", "bash"), re.M)
        return {words: following.split() for words, following in found}

    def test_every_command_has_help_and_a_place_in_the_manual(self):
        commands, manual = self.commands(), self.ok("man")
        self.assertGreater(len(commands), 15)
        for words, following in commands.items():
            self.assertIn("Usage:", self.ok(*words.split(), "--help"), words)
            if all(word.startswith("--") for word in following):
                self.assertRegex(manual, rf"(?m)^\.SS lattice {words}( |$)")
        status, _out, complaints = run(paths.find_program("groff"), "-man", "-ww", "-z", input=manual)
        self.assertEqual((status, complaints), (0, ""))

    def complete(self, *words):
        """What bash offers for the last word."""
        quoted = " ".join(f"'{word}'" for word in ("lattice",) + words)
        script = (f"{self.ok('completion', 'bash')}\nCOMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _lattice; "
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        status, out, err = run(paths.find_program("bash"), "-c", script, cwd=processes.scratch_folder("completion"))
        self.assertEqual((status, err), (0, ""))
        return out.split()

    def test_bash_completes_commands_flags_and_files(self):
        self.assertEqual(self.complete("tenant", "cr"), ["create"])
        self.assertEqual(self.complete("start", "--gr"), ["--grpc-bind"])
        self.assertEqual(self.complete("benchmark", "put", "--output", "json", "--cl"), ["--clients"])
        self.assertLessEqual({"start", "config", "benchmark", "man", "--version"}, set(self.complete("")))
        self.assertEqual(self.complete("start", "--config", "none-such"), [])
        for shell in ("zsh", "fish"):
            self.assertIn("benchmark", self.ok("completion", shell))

    def test_a_build_writes_what_packages_install(self):
        share = os.path.join(os.path.dirname(self.lattice), "share")
        for path, arguments in (("bash-completion/completions/lattice", ["completion", "bash"]), ("man/man1/lattice.1", ["man"]),
                                ("zsh/vendor-completions/_lattice", ["completion", "zsh"]),
                                ("fish/vendor_completions.d/lattice.fish", ["completion", "fish"])):
            with open(os.path.join(share, path), encoding="utf-8") as file:
                self.assertEqual(file.read(), self.ok(*arguments), path)

    def keys_below(self, connection):
        return connection.call("KV.Range", rpc.RangeRequest(key=PREFIX, range_end=PREFIX[:-1] + b"0", count_only=True)).count

    def test_benchmark_measures_checks_and_cleans_up(self):
        server = self.server("sqlite")
        connection = self.connect(server)
        connection.call("KV.Put", rpc.PutRequest(key=b"other", value=b"v"))
        load = ["--endpoints", server.target, "--keys", "50", "--total", "300", "--clients", "8", "--conns", "2", "--output", "json"]
        for mode in ("put", "get", "mixed", "watch"):
            report = json.loads(self.ok("benchmark", mode, *load, *(["--watchers", "10"] if mode == "watch" else [])))
            self.assertEqual((report["mode"], report["valid"], report["errors"]), (mode, True, {}))
            self.assertEqual(report["operations"], 300)
            latency = report["latency_us"]
            self.assertTrue(0 < latency["p50"] <= latency["p90"] <= latency["p99"] <= latency["p999"] <= latency["max"])
        self.assertEqual(self.keys_below(connection), 0)
        self.assertEqual(connection.call("KV.Range", rpc.RangeRequest(key=b"other")).count, 1)
        text = self.ok("benchmark", "put", *load[:-2], "--keep", "--key-size", "40", "--val-size", "100")
        self.assertRegex(text, r"^put: 300 requests in \d+\.\d\d s, \d+/s\nlatency: mean ")
        self.assertEqual(sum(int(count) for count in re.findall(r"\| *#* +(\d+)$", text, re.M)), 300)
        kept = connection.call("KV.Range", rpc.RangeRequest(key=PREFIX, range_end=PREFIX[:-1] + b"0", limit=1)).kvs[0]
        self.assertEqual((len(kept.key), len(kept.value)), (40, 100))

    def on_terminal(self, columns, *arguments):
        """What a command writes on a terminal of that width, and what it answers."""
        reading, terminal = pty.openpty()
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        shown = b""
        with subprocess.Popen([self.lattice, *arguments], stdout=subprocess.PIPE, stderr=terminal, text=True) as process:
            os.close(terminal)
            while True:
                try:
                    shown += os.read(reading, 4096)
                except OSError:  # nobody writes any more
                    break
            out = process.stdout.read()
        os.close(reading)
        self.assertEqual(process.returncode, 0, shown)
        return shown.decode(), out

    def test_benchmark_shows_its_progress_on_a_terminal(self):
        server = self.server("sqlite")
        load = ["benchmark", "put", "--endpoints", server.target, "--duration", "1", "--warmup", "0", "--clients", "4"]
        shown, out = self.on_terminal(100, *load)
        lines = re.findall(r"\rput: +(\d+) %, \d+ done, \d+/s, p50 \d+\.\d\d ms, p99 \d+\.\d\d ms\x1b\[K", shown)
        self.assertGreaterEqual(len(lines), 1, shown)
        self.assertEqual(sorted(map(int, lines)), list(map(int, lines)))
        self.assertTrue(shown.endswith("\r\x1b[K"), shown)
        self.assertIn("latency: mean", out)
        # A narrow one has lines that fit.
        shown, _ = self.on_terminal(30, *load)
        self.assertEqual({len(line) for line in re.findall(r"put:[^\x1b]*", shown)}, {29}, shown)

    def test_benchmark_with_tls_and_a_certificate(self):
        pki = processes.scratch_folder("pki")
        self.ok("certs", "init", "--dir", pki)
        path = {name: os.path.join(pki, name) for name in ("ca.crt", "server.crt", "server.key", "client.crt", "client.key")}
        server = self.server("sqlite", extra=["--tls-chain", path["server.crt"], "--tls-key", path["server.key"],
                                              "--client-ca", path["ca.crt"]])
        small = ["benchmark", "put", "--total", "50", "--conns", "2", "--clients", "4"]
        shown = ["--cacert", path["ca.crt"], "--cert", path["client.crt"], "--key", path["client.key"]]
        self.assertIn("put: 50 requests", self.ok(*small, *shown, "--endpoints", f"https://localhost:{server.port}"))
        status, out, err = run(self.lattice, *small, *shown[:2], "--endpoints", server.target)
        self.assertEqual((status, out), (1, ""))
        self.assertIn("error: ", err)

    def test_benchmark_logs_in(self):
        server = self.server("sqlite")
        connection = self.connect(server)
        connection.call("Auth.UserAdd", rpc.AuthUserAddRequest(name="root", password="right"))
        connection.call("Auth.RoleAdd", rpc.AuthRoleAddRequest(name="root"))
        connection.call("Auth.UserGrantRole", rpc.AuthUserGrantRoleRequest(user="root", role="root"))
        connection.call("Auth.AuthEnable", rpc.AuthEnableRequest())
        small = ["benchmark", "mixed", "--total", "50", "--keys", "10", "--endpoints", server.target]
        self.assertIn("mixed: 50 requests", self.ok(*small, "--user", "root:right"))
        for credentials, text in ((["--user", "root:wrong"], "cannot log in"), ([], "user name is empty")):
            status, out, err = run(self.lattice, *small, *credentials)
            self.assertEqual((status, out), (1, ""))
            self.assertIn(text, err)

    def test_benchmark_says_what_is_wrong(self):
        for arguments, status, text in ((["--endpoints", "127.0.0.1:1"], 1, "cannot connect to 127.0.0.1:1"),
                                        (["--endpoints", "nonsense"], 2, 'expected host:port, got "nonsense"'),
                                        (["--prefix", ""], 2, "must not be empty"), (["--clients", "0"], 2, "--clients"),
                                        (["--endpoints", "https://127.0.0.1:1"], 2, "--cacert")):
            found = run(self.lattice, "benchmark", "put", *arguments)
            self.assertEqual((found[0], found[1]), (status, ""), arguments)
            self.assertIn(text, found[2])


if __name__ == "__main__":
    cases.main(__doc__)
