#!/usr/bin/python3
"""The Debian package: made, installed, run as its unit says, removed and purged in a Debian of the test's own.
package.py --lattice PATH. --lintian besides: no error of lintian's."""

import os
import shutil
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import debian  # noqa: E402
import systemd  # noqa: E402

from harness import cases, paths, processes  # noqa: E402

_UNCOUNTED = ("/proc/", "/dev/", "/run/", "/var/lib/dpkg/", "/var/log/", "/var/cache/", "/package.deb", "/etc/passwd", "/etc/group",
              "/etc/shadow", "/etc/gshadow", "/etc/subuid", "/etc/subgid", "/var/lib/systemd/")


class Package(cases.ServerTest):
    lintian = False

    @classmethod
    def setUpClass(cls):
        cls.folder = processes.scratch_folder("package")
        build = os.path.join(paths.SOURCE, "deploy", "debian", "build.sh")
        cls.package = debian.run(build, cls.lattice, cls.folder).strip().splitlines()[-1]
        cls.root = os.path.join(cls.folder, "root")
        os.mkdir(cls.root)
        debian.run("tar", "-C", cls.root, "-xf", debian.base())
        # Nothing starts at installing, as on a machine that is being prepared.
        with open(os.path.join(cls.root, "usr", "sbin", "policy-rc.d"), "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexit 101\n")
        os.chmod(file.name, 0o755)
        shutil.copy(cls.package, os.path.join(cls.root, "package.deb"))

    def inside(self, *command):
        environment = {"DEBIAN_FRONTEND": "noninteractive", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        return debian.run("chroot", self.root, *command, env={**os.environ, **environment})

    def files(self):
        """What is in the root, without what every package leaves behind."""
        found = set()
        for folder, folders, names in os.walk(self.root):
            for name in folders + names:
                path = os.path.join(folder, name)[len(self.root):]
                if not path.startswith(_UNCOUNTED):
                    found.add(path)
        return found

    def account(self):
        with open(os.path.join(self.root, "etc", "passwd"), encoding="utf-8") as file:
            return next((line.split(":") for line in file if line.startswith("lattice:")), None)

    def mode(self, path):
        status = os.stat(self.root + path)
        return status.st_mode & 0o7777, status.st_uid

    def test_it_comes_runs_and_goes(self):
        before = self.files()
        # With dpkg alone: what it depends on is in the base, so that the list of dependencies is checked, too.
        self.inside("dpkg", "--install", "/package.deb")
        user = int(self.account()[2])
        self.assertEqual(self.mode("/var/lib/lattice"), (0o700, user))
        self.assertEqual(self.mode("/etc/lattice/lattice.toml")[0], 0o640)
        self.assertIn("The configuration is valid",
                      self.inside("lattice", "config", "validate", "--config", "/etc/lattice/lattice.toml"))
        self.check_running()
        with open(self.root + "/etc/lattice/lattice.toml", "a", encoding="utf-8") as file:
            file.write("# mine\n")
        self.inside("dpkg", "--install", "/package.deb")  # an upgrade
        with open(self.root + "/etc/lattice/lattice.toml", encoding="utf-8") as file:
            self.assertIn("# mine", file.read())

        self.inside("dpkg", "--remove", "lattice")
        self.assertFalse(os.path.exists(self.root + "/usr/bin/lattice"))
        self.assertTrue(os.path.exists(self.root + "/etc/lattice/lattice.toml"))
        self.assertTrue(os.listdir(self.root + "/var/lib/lattice"))
        self.inside("dpkg", "--purge", "lattice")
        self.assertEqual(self.files() - before, set())
        self.assertIsNone(self.account())

    def check_running(self):
        """Starts what the unit starts, as its user, until it says that it is ready; then stops it."""
        unit = systemd.read_unit(self.root + "/lib/systemd/system/lattice.service")
        command = unit["Service"]["ExecStart"][0].split()
        account = self.account()
        ready = systemd.NotifySocket(os.path.join(self.root, "run"))
        self.addCleanup(ready.close)
        server = debian.Inside("lattice", self.root, command, os.path.join(self.folder, "log"),
                               env={"NOTIFY_SOCKET": "/run/notify"}, user=f"{account[2]}:{account[3]}")
        self.addCleanup(server.process.stop, signal.SIGKILL)
        self.assertEqual(ready.wait("READY=1", server.process), "READY=1")
        etcdctl = paths.find_program("etcdctl")
        self.assertEqual(server.from_outside([etcdctl, "put", "greeting", "hello"]), "OK\n")
        server.signal(signal.SIGHUP)
        self.assertEqual(server.from_outside([etcdctl, "get", "greeting"]), "greeting\nhello\n")
        server.signal(signal.SIGTERM)
        self.assertEqual(ready.wait("STOPPING=1", server.process), "STOPPING=1")
        cases.eventually(lambda: not server.process.alive(), "it ends", timeout_s=30)
        self.assertEqual(server.process.exit_status(), 0, server.process.log_tail())

    def test_the_changelog_has_the_version(self):
        version = os.path.basename(self.package).split("_")[1]
        self.assertTrue(debian.run(self.lattice, "version").split()[1].startswith(version))

    def test_what_lintian_says(self):
        if not self.lintian:
            self.skipTest("lintian is part of make check: --lintian")
        # Whose package it is, nobody can write to.
        bogus = "bogus-mail-host,bogus-mail-host-in-debian-changelog"
        print(debian.run("lintian", "--allow-root", "--fail-on", "error", "--suppress-tags", bogus, self.package))


if __name__ == "__main__":
    debian.skip_where_impossible()
    if "--lintian" in sys.argv:
        sys.argv.remove("--lintian")
        Package.lintian = True
    cases.main(__doc__)
