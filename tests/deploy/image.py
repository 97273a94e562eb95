#!/usr/bin/python3
"""The container image, built by buildah without an engine from a binary that exists, then run as its own configuration says,
in a network and a root of its own: image.py --lattice PATH. With --compile nothing is given and all of docker/Dockerfile runs; with
--arm64 the binary is for arm64, and what is run of it is run by an emulator."""

import json
import os
import shutil
import signal
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import debian  # noqa: E402

from harness import cases, paths, processes, tools  # noqa: E402

_BYTES_MAX = 40_000_000
_CONTEXT = ("CMakeLists.txt", "CMakePresets.json", "LICENSE", "bench", "cmake", "deploy", "proto", "scripts", "src", ".dockerignore",
            "docker")


class Image(cases.ServerTest):
    compile = False
    architecture = None  # another one than this machine's
    strip = "strip"
    # Before each command of the image, in its root; and before one of this machine's.
    emulator = ()
    emulated = ()
    prepare = "true"

    @classmethod
    def setUpClass(cls):
        cls.folder = processes.scratch_folder("image")
        cls.name = "lattice"
        context = os.path.join(cls.folder, "context")
        os.mkdir(context)
        for name in _CONTEXT:
            source, target = os.path.join(paths.SOURCE, name), os.path.join(context, name)
            shutil.copytree(source, target) if os.path.isdir(source) else shutil.copy(source, target)
        options = ["--build-arg=BASE=localhost/lattice-base", "--build-arg=REVISION=of-the-test"]
        if cls.architecture:
            native = debian.run("dpkg", "--print-architecture").strip()
            options += [f"--platform=linux/{cls.architecture}", f"--build-arg=BUILDPLATFORM=linux/{native}"]
        if cls.compile:
            options += cls.compiler_cache()
        else:
            debian.stripped(cls.lattice, os.path.join(context, "prebuilt", "lattice"), cls.strip)
            options.append("--build-arg=BINARY=prebuilt/lattice")
        made = cls.buildah("from", "scratch").strip()
        cls.buildah("add", "--quiet", made, debian.base(), "/")
        cls.buildah("commit", "--quiet", "--rm", made, "lattice-base")
        cls.buildah("bud", "--isolation", "chroot", "--format", "docker", "--file",
                    os.path.join(context, "docker", "Dockerfile"), "--tag", cls.name,
                    *options, context, timeout_s=3600)
        cls.container = cls.buildah("from", cls.name).strip()
        cls.root = cls.buildah("mount", cls.container).strip()
        described = json.loads(cls.buildah("inspect", "--type", "image", cls.name))["Docker"]
        cls.configuration = described["config"]
        cls.architecture_named = described["architecture"]

    @classmethod
    def for_arm64(cls):
        cls.architecture = "arm64"
        cls.strip = "aarch64-linux-gnu-strip"
        root = os.path.join(paths.SOURCE, "build", "arm64-root")
        emulator = paths.find_program("qemu-aarch64-static")
        cls.emulator = ("/emulator",)
        cls.emulated = (emulator, "-L", root)
        cls.prepare = f'touch "$0/emulator" && mount --bind {emulator} "$0/emulator"'

    @classmethod
    def compiler_cache(cls):
        """This machine's ccache inside, so that what was compiled once is not compiled in every run. Users do without."""
        cache = debian.run("ccache", "--get-config", "cache_dir").strip()
        os.makedirs(cache, exist_ok=True)
        settings = os.path.join(cls.folder, "ccache.conf")
        with open(settings, "w", encoding="ascii") as file:
            file.write("cache_dir = /ccache\nbase_dir = /src\nhash_dir = false\n")
        return [f"--volume={cache}:/ccache", f"--volume={settings}:/etc/ccache.conf:ro"]

    @classmethod
    def buildah(cls, *arguments, timeout_s=300):
        return debian.run("buildah", "--root", os.path.join(cls.folder, "root"), "--runroot", os.path.join(cls.folder, "run"),
                          "--storage-driver", "vfs", *arguments, timeout_s=timeout_s)

    def start(self, **more):
        """A container, as its engine would: the image's user, entrypoint, command and folder; with more environment."""
        user, group = self.configuration["User"].split(":")
        environment = dict(item.split("=", 1) for item in self.configuration["Env"] or [])
        command = [*self.emulator, *self.configuration["Entrypoint"], *self.configuration["Cmd"]]
        made = debian.Inside("container", self.root, command, os.path.join(self.folder, "log"), env={**environment, **more},
                             user=f"{user}:{group}", prepare=self.prepare)
        self.addCleanup(made.process.stop, signal.SIGKILL)
        return made

    def started(self):
        container = self.start()
        cases.eventually(lambda: self.health(container)[0] == 0, "healthy", timeout_s=60)
        return container

    def health(self, container):
        kind, *command = self.configuration["Healthcheck"]["Test"]
        self.assertEqual(kind, "CMD")
        return container.run([*self.emulator, *command])

    def test_it_is_small_and_holds_nothing_else(self):
        size = sum(os.lstat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(self.root) for name in names
                   if not os.path.islink(os.path.join(folder, name)))
        archive = os.path.join(self.folder, "image.tar.gz")
        debian.run("tar", "-C", self.root, "-czf", archive, ".")
        print(f"{size / 1e6:.1f} MB, compressed {os.path.getsize(archive) / 1e6:.1f} MB")
        self.assertLess(size, _BYTES_MAX)
        programs = {os.path.join(folder, name) for folder, _, names in os.walk(self.root) for name in names
                    if os.access(os.path.join(folder, name), os.X_OK) and not os.path.islink(os.path.join(folder, name))}
        self.assertEqual({os.path.basename(path).split("-")[0] for path in programs}, {"lattice", "ld"}, programs)
        packages = os.listdir(os.path.join(self.root, "var", "lib", "dpkg", "status.d"))
        for name in ("ca-certificates", "libc6", "libpq5", "libnghttp2-14"):
            self.assertIn(name, packages)
            self.assertTrue(os.path.exists(os.path.join(self.root, "usr", "share", "doc", name, "copyright")), name)

    def test_nobody_is_root(self):
        user, group = self.configuration["User"].split(":")
        self.assertEqual((user, group), ("65532", "65532"))
        self.assertEqual(os.lstat(os.path.join(self.root, "var", "lib", "lattice")).st_uid, 65532)
        mine = [os.path.join(folder, name) for folder, _, names in os.walk(os.path.join(self.root, "usr")) for name in names
                if os.lstat(os.path.join(folder, name)).st_uid != 0]
        self.assertEqual(mine, [])

    def test_its_labels(self):
        labels = self.configuration["Labels"]
        self.assertEqual(labels["org.opencontainers.image.revision"], "of-the-test")
        version = debian.run(*self.emulated, self.lattice, "version").split()[1]
        self.assertEqual(labels["org.opencontainers.image.version"], version.split("-")[0].split("+")[0])
        self.assertEqual(set(self.configuration["ExposedPorts"]), {"2379/tcp", "9090/tcp"})

    def test_it_is_for_its_architecture(self):
        native = debian.run("dpkg", "--print-architecture").strip()
        self.assertEqual(self.architecture_named, self.architecture or native)
        entry = os.path.join(self.root, "var", "lib", "dpkg", "status.d", "libc6")
        with open(entry, encoding="utf-8") as file:
            self.assertIn(f"Architecture: {self.architecture or native}\n", file.read())

    def test_its_package_for_debian(self):
        if not self.architecture:
            self.skipTest("package.py installs and runs it")
        build = os.path.join(paths.SOURCE, "deploy", "debian", "build.sh")
        package = debian.run(build, self.lattice, self.folder, self.architecture).strip().splitlines()[-1]
        self.assertEqual(debian.run("dpkg-deb", "--field", package, "Architecture").strip(), self.architecture)
        libraries = debian.run("dpkg-deb", "--field", package, "Depends")
        for name in ("libc6 (>= ", "libpq5", "libnghttp2-14 (>= "):
            self.assertIn(name, libraries)
        self.assertIn("./usr/share/man/man1/lattice.1.gz", debian.run("dpkg-deb", "--contents", package))

    def test_it_runs_and_etcdctl_talks_to_it(self):
        container = self.started()
        etcdctl = paths.find_program("etcdctl")
        self.assertEqual(container.from_outside([etcdctl, "put", "greeting", "hello"]), "OK\n")
        self.assertEqual(container.from_outside([etcdctl, "get", "greeting"]), "greeting\nhello\n")
        watch = f"timeout 2 {etcdctl} watch --rev=1 greeting | head -n 3"
        self.assertEqual(container.from_outside(["sh", "-c", watch]), "PUT\ngreeting\nhello\n")
        self.assertIn("lattice_", container.from_outside(["curl", "-sf", "http://127.0.0.1:9090/metrics"]))
        container.signal(signal.SIGTERM)
        cases.eventually(lambda: not container.process.alive(), "it drains and ends", timeout_s=30)
        self.assertEqual(container.process.exit_status(), 0, container.process.log_tail())
        # The data is where a volume would be. This one crashes.
        container = self.started()
        self.assertEqual(container.from_outside([etcdctl, "get", "greeting"]), "greeting\nhello\n")
        self.assertEqual(container.from_outside([etcdctl, "put", "greeting", "again"]), "OK\n")
        container.process.kill()
        container = self.started()
        self.assertEqual(container.from_outside([etcdctl, "get", "greeting"]), "greeting\nagain\n")

    def test_production_refuses_what_the_image_does_for_beginners(self):
        made = self.start(LATTICE_ENV="production")
        cases.eventually(lambda: not made.process.alive(), "it refuses", timeout_s=30)
        status, output = made.process.exit_status(), made.process.log()
        self.assertEqual(status, 78, output)
        self.assertIn("production refuses plaintext", output)


if __name__ == "__main__":
    debian.skip_where_impossible()
    if "--compile" in sys.argv:
        sys.argv.remove("--compile")
        Image.compile = True
    if "--arm64" in sys.argv:
        sys.argv.remove("--arm64")
        for program in ("qemu-aarch64-static", "aarch64-linux-gnu-strip"):
            if shutil.which(program) is None:
                tools.skip(f"{program} is not installed: scripts/install.sh arm64")
        if not os.path.exists(os.path.join(paths.SOURCE, "build", "arm64", "lattice")):
            tools.skip("there is no binary for arm64: make arm64")
        Image.for_arm64()
    cases.main(__doc__)
