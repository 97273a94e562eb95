#!/usr/bin/python3
"""Backup and restore as a drill: what docs/backup.md promises, with a server under load and the data compared by content.

    tests/backup/backup.py --lattice PATH [unittest arguments]
"""

import os
import shutil
import subprocess
import sys
import threading
import time

import grpc

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

from harness import cases, paths, postgres, processes, protos, servers  # noqa: E402

rpc, kv = protos.rpc, protos.kv
_JUMP = 10**9
_ALL = {"key": b"\0", "range_end": b"\0"}


def run(*command, status=0):
    """Runs it to its end; its output."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != status:
        raise AssertionError(f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


class Load:
    """One client that writes and deletes without pause until it is stopped; ends with the server, too."""

    def __init__(self, connection):
        self._connection = connection
        self._stopped = threading.Event()
        self.revision = 0  # of the newest acknowledged write
        self._thread = threading.Thread(target=self._write, daemon=True)
        self._thread.start()

    def _write(self):
        number = 0
        while not self._stopped.is_set():
            number += 1
            key = b"load/%d" % (number % 50)
            try:
                if number % 10 == 0:
                    answer = self._connection.call("KV.DeleteRange", rpc.DeleteRangeRequest(key=key))
                else:
                    answer = self._connection.call("KV.Put", rpc.PutRequest(key=key, value=b"%d" % number))
            except grpc.RpcError:
                return
            self.revision = answer.header.revision

    def reached(self, more):
        """Waits until so many writes more are acknowledged."""
        goal = self.revision + more
        cases.eventually(lambda: self.revision >= goal, f"{more} more writes")

    def stop(self):
        self._stopped.set()
        self._thread.join()


def content(connection, revision=0):
    """What is there at a revision: (key, value, version, create and mod revision) of each key."""
    answer = connection.call("KV.Range", rpc.RangeRequest(revision=revision, **_ALL))
    return [(pair.key, pair.value, pair.version, pair.create_revision, pair.mod_revision) for pair in answer.kvs]


def head(connection):
    return connection.call("KV.Range", rpc.RangeRequest(key=b"x", count_only=True)).header.revision


class Drill(cases.ServerTest):
    """Each drill: load, a backup in the middle of it, a restore elsewhere, and the same content as of the backup."""

    def loaded(self, kind, **options):
        """A server with things of every kind in it, and load."""
        server = self.server(kind, **options)
        connection = self.connect(server)
        connection.call("Lease.LeaseGrant", rpc.LeaseGrantRequest(ID=7, TTL=3600))
        connection.call("KV.Put", rpc.PutRequest(key=b"leased", value=b"x", lease=7))
        connection.call("Auth.UserAdd", rpc.AuthUserAddRequest(name="alice", password="p"))
        load = Load(connection)
        self.addCleanup(load.stop)
        load.reached(60)
        return server, connection, load

    def start(self, server):
        self.addCleanup(server.remove)
        server.start()
        return self.connect(server)

    def has_all_of(self, connection, original, revision):
        """The restored server has what the original had at that revision, and all that is no key."""
        self.assertEqual(content(connection), content(original, revision))
        leases = connection.call("Lease.LeaseLeases", rpc.LeaseLeasesRequest()).leases
        self.assertEqual([lease.ID for lease in leases], [7])
        self.assertEqual(list(connection.call("Auth.UserList", rpc.AuthUserListRequest()).users), ["alice"])

    def tells_clients(self, connection, revision):
        """Clients of before meet a new history: whoever knows a revision lists again."""
        self.assertTrue(revision + _JUMP <= head(connection) < revision + 2 * _JUMP, "one jump")
        with self.assertRaisesRegex(grpc.RpcError, "required revision has been compacted"):
            content(connection, revision)
        stream = connection.open("Watch.Watch")
        stream.send(rpc.WatchRequest(create_request=rpc.WatchCreateRequest(start_revision=revision + 1, **_ALL)))
        ended = next(answer for answer in iter(stream.receive, None) if answer.canceled)
        stream.cancel()
        self.assertGreaterEqual(ended.compact_revision, revision + _JUMP)
        before = head(connection)
        connection.call("KV.Put", rpc.PutRequest(key=b"after", value=b"x"))
        self.assertEqual(head(connection), before + 1)

    def same_history(self, connection, revision):
        """Nobody has noticed: the revision goes on from the backup's."""
        self.assertEqual(head(connection), revision)

    def declare(self, server, status=0):
        return run(self.lattice, "restore", "declare", "--yes", *server.where(), status=status)

    # ---- PostgreSQL ----

    def restored(self, url):
        return servers.Lattice(self.lattice, "postgres", url)

    def newest_revision(self, server, database):
        return int(server.query("SELECT max(last_revision) FROM lattice.batch", database)[0][0])

    def test_dump(self):
        lattice, original, load = self.loaded("postgres")
        dump = os.path.join(processes.scratch_folder("dump"), "lattice.dump")
        programs = paths.postgres_programs()
        run(os.path.join(programs, "pg_dump"), "--format=custom", f"--file={dump}", lattice.url)
        load.reached(20)
        load.stop()
        self.assertIn("a Lattice is running", self.declare(lattice, status=1))
        self.assertEqual(head(original), load.revision)

        other = postgres.Postgres().start()
        self.addCleanup(other.remove)
        here = servers.shared_postgres()
        for server in (other, here):
            server.query("CREATE DATABASE restored")
            run(os.path.join(programs, "pg_restore"), "--exit-on-error", f"--dbname={server.url('restored')}", dump)
        revision = self.newest_revision(other, "restored")
        self.assertLess(revision, load.revision)

        # Another cluster is noticed.
        connection = self.start(self.restored(other.url("restored")))
        self.has_all_of(connection, original, revision)
        self.tells_clients(connection, revision)

        # Where it was declared besides, there is one jump, not two.
        other.query("CREATE DATABASE declared")
        run(os.path.join(programs, "pg_restore"), "--exit-on-error", f"--dbname={other.url('declared')}", dump)
        declared = self.restored(other.url("declared"))
        self.declare(declared)
        self.tells_clients(self.start(declared), revision)

        # Another database of the same one is not: the operator says so.
        silent = self.restored(here.url("restored"))
        self.same_history(self.start(silent), revision)
        silent.stop()
        self.assertEqual(self.declare(silent), f"tenant default: revision {revision} jumps to {revision + _JUMP}\n")
        connection = self.start(silent)
        self.has_all_of(connection, original, revision)
        self.tells_clients(connection, revision)

    def test_declared_beside_the_session_of_one_that_was_killed(self):
        lattice, _original, load = self.loaded("postgres")
        load.stop()
        lattice.kill()
        self.assertIn("jumps to", self.declare(lattice))
        self.tells_clients(self.start(lattice), load.revision)

    def test_point_in_time(self):
        archive = processes.scratch_folder("archive")
        os.chmod(archive, 0o777)
        primary = postgres.Postgres({"archive_mode": "on", "archive_command": f"cp %p {archive}/%f"}).start()
        self.addCleanup(primary.remove)
        url = primary.url(primary.new_database())
        lattice = servers.Lattice(self.lattice, "postgres", url)
        original = self.start(lattice)
        load = Load(original)
        self.addCleanup(load.stop)
        load.reached(30)
        base = postgres.Postgres(backup_of=primary)
        self.addCleanup(base.remove)
        load.reached(30)
        acknowledged = load.revision
        moment = primary.query("SELECT clock_timestamp()")[0][0]
        time.sleep(0.05)
        load.reached(30)
        load.stop()
        # The server goes on renewing its session: what is written behind this file does not matter.
        newest = primary.query("SELECT pg_walfile_name(pg_switch_wal() - 1)")[0][0]
        cases.eventually(lambda: self.archived(primary, newest), "the archive has everything")

        base.recover_until(moment, f"cp {archive}/%f %p")
        base.start()
        database = url.rsplit("/", 1)[1]
        cases.eventually(lambda: base.query("SELECT pg_is_in_recovery()")[0][0] == "f", "recovery")
        revision = self.newest_revision(base, database)
        # All that was acknowledged before the moment, and nothing of much later.
        self.assertGreaterEqual(revision, acknowledged)
        self.assertLess(revision, load.revision)
        connection = self.start(self.restored(base.url(database)))
        self.assertEqual(content(connection), content(original, revision))
        self.tells_clients(connection, revision)

    def archived(self, server, newest):
        return server.query(f"SELECT last_archived_wal >= '{newest}' FROM pg_stat_archiver")[0][0] == "t"

    # ---- SQLite ----

    def sqlite_at(self, make_copy):
        """A server on a store that `make_copy(folder of the original, new folder)` has made."""
        other = servers.Lattice(self.lattice, "sqlite")
        folder = os.path.join(other.folder, "data")
        os.mkdir(folder)
        make_copy(os.path.join(other.folder, "data"))
        return other

    def test_sqlite_beside_the_running_server(self):
        lattice, original, load = self.loaded("sqlite")
        file = os.path.join(lattice.folder, "data", "lattice.db")
        made = {
            "backup": self.sqlite_at(lambda folder: run("sqlite3", file, f".backup {folder}/lattice.db")),
            "vacuum": self.sqlite_at(lambda folder: run("sqlite3", file, f"VACUUM INTO '{folder}/lattice.db'")),
        }
        load.reached(20)
        load.stop()
        self.assertIn("in use by another Lattice", self.declare(lattice, status=69))
        for name, server in made.items():
            with self.subTest(name):
                connection = self.start(server)
                revision = head(connection)
                self.assertLess(revision, load.revision)
                self.has_all_of(connection, original, revision)
                server.stop()
                self.assertIn("jumps to", self.declare(server))
                connection = self.start(server)
                self.has_all_of(connection, original, revision)
                self.tells_clients(connection, revision)

    def test_sqlite_folder_of_a_stopped_server(self):
        lattice, _original, load = self.loaded("sqlite")
        load.stop()
        lattice.stop()
        copy = self.sqlite_at(lambda folder: shutil.copytree(os.path.join(lattice.folder, "data"), folder,
                                                             dirs_exist_ok=True))
        lattice.start()
        self.has_all_of(self.start(copy), self.connect(lattice), load.revision)

    # ---- Saying so ----

    def test_what_declaring_refuses(self):
        lattice = self.server("sqlite")
        lattice.stop()
        self.assertIn("--yes", run(self.lattice, "restore", "declare", *lattice.where(), status=2))
        self.assertIn("memory://", run(self.lattice, "restore", "declare", "--yes", "--db-connection", "memory://",
                                       status=78))

    def test_every_tenant_jumps(self):
        lattice = self.server("sqlite", env={"LATTICE_TENANTS_CREATE": "team-a,team-b",
                                             "LATTICE_TENANTS_TRUST_METADATA": "true"})
        connection = self.connect(lattice)
        of_team_a = (("lattice-tenant", "team-a"),)
        connection.call("KV.Put", rpc.PutRequest(key=b"a", value=b"x"), metadata=of_team_a)
        head(connection)
        lattice.stop()
        told = self.declare(lattice)
        self.assertIn("tenant default: revision 1 jumps", told)
        self.assertIn("tenant team-a: revision 2 jumps", told)
        self.assertIn("tenant team-b is empty", told)
        connection = self.start(lattice)
        answer = connection.call("KV.Range", rpc.RangeRequest(key=b"a"), metadata=of_team_a)
        self.assertEqual((answer.header.revision, answer.kvs[0].mod_revision), (2 + _JUMP, 2))


if __name__ == "__main__":
    cases.main(__doc__)
