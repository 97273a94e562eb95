#!/usr/bin/python3
"""/metrics of a live server against what is said about it and built on it:

    metrics.py --lattice PATH      (LATTICE_WRITE_DOCS=1 writes docs/metrics.md anew)

promtool's lint, docs/metrics.md, the alert rules with their unit tests and runbooks, and each query of the dashboard on a Prometheus
that scrapes the server. (etcd_names.py compares with a real etcd.)
"""

import json
import os
import re
import subprocess
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))

import grpc  # noqa: E402
import exposition  # noqa: E402
from harness import cases, client, paths, processes, servers  # noqa: E402

DOC = os.path.join(paths.SOURCE, "docs", "metrics.md")
RUNBOOKS = os.path.join(paths.SOURCE, "docs", "runbooks.md")
RULES = os.path.join(paths.SOURCE, "deploy", "prometheus", "lattice.rules.yml")
DASHBOARD = os.path.join(paths.SOURCE, "deploy", "grafana", "lattice.json")
# Labels that Prometheus itself adds.
_TARGET_LABELS = {"job", "instance", "le"}
# What etcd's own alerts and dashboard read that has a counterpart here.
MIXIN = """etcd_server_has_leader etcd_server_leader_changes_seen_total etcd_server_proposals_failed_total
    etcd_server_proposals_pending etcd_server_proposals_committed_total etcd_server_proposals_applied_total
    grpc_server_started_total grpc_server_handled_total grpc_server_handling_seconds etcd_disk_wal_fsync_duration_seconds
    etcd_disk_backend_commit_duration_seconds etcd_mvcc_db_total_size_in_bytes etcd_mvcc_db_total_size_in_use_in_bytes
    etcd_server_quota_backend_bytes etcd_network_client_grpc_received_bytes_total etcd_network_client_grpc_sent_bytes_total
    process_resident_memory_bytes process_start_time_seconds etcd_server_slow_apply_total""".split()
GUIDE = """lattice_lin_bound_can_linearize lattice_cp_cache_state lattice_adapter_etcd_requests_total
    lattice_adapter_etcd_errors_total lattice_kv_revision lattice_watch_active_streams lattice_lease_active_leases""".split()


def promtool(*arguments, stdin=None, cwd=None):
    done = subprocess.run([paths.find_program("promtool"), *arguments], input=stdin, capture_output=True, text=True, check=False,
                          cwd=cwd, timeout=120)
    return done.returncode, done.stdout + done.stderr


def alerts():
    """[(name, expression, annotations)] of the rules file, which is written in this one form."""
    with open(RULES, encoding="utf-8") as file:
        text = file.read()
    found = []
    for block in text.split("      - alert: ")[1:]:
        expression = re.search(r"expr: (\|\n(?:          .*\n)+|.*\n)", block)[1].removeprefix("|")
        found.append((block.split("\n", 1)[0], " ".join(expression.split()), dict(re.findall(r"^          (\w+): (.*)$", block, re.M))))
    return found


def rendered(families, governed, known):
    """docs/metrics.md; `governed`: what a server in mode clustor has; `known` has the labels of families without series now."""
    sections = (("Lattice's own", "lattice_"), ("With etcd's names", "etcd_"), ("Calls, with go-grpc-prometheus' names", "grpc_"),
                ("The process", ("process_", "os_")))
    with open(DOC, encoding="utf-8") as file:
        head = file.read().split("\n## ", 1)[0]
    lines = [head.rstrip()]
    for title, prefixes in sections:
        lines += ["", f"## {title}", "", "| name | type | labels | meaning |", "|---|---|---|---|"]
        for name in sorted(families | governed):
            if not name.startswith(prefixes):
                continue
            family = families.get(name) or governed[name]
            labels = ", ".join(sorted(family.labels)) if family.series else known.get(name, "")
            where = "" if name in families else " In mode clustor only."
            lines.append(f"| `{name}` | {family.kind} | {labels} | {family.help}{where} |")
    return "\n".join(lines) + "\n"


class Metrics(cases.ServerTest):
    @classmethod
    def setUpClass(cls):
        folder = processes.scratch_folder("pki")
        subprocess.run([cls.lattice, "certs", "init", "--dir", folder], check=True, capture_output=True)
        chain, key, authority = (os.path.join(folder, name) for name in ("server.crt", "server.key", "ca.crt"))
        cls.live = servers.make("sqlite", cls.lattice, extra=["--tls-chain", chain, "--tls-key", key],
                                env={"LATTICE_AUDIT_OUTPUT": os.path.join(folder, "audit.log")})
        cls.live.start()
        with open(authority, "rb") as file:
            credentials = grpc.ssl_channel_credentials(file.read())
        connection = client.Client(f"localhost:{cls.live.port}", credentials=credentials)
        exposition.use(connection)
        connection.close()
        cases.eventually(lambda: "lattice_tenant_cache_bytes{" in exposition.fetch(cls.live.metrics_port), "the first upkeep")
        cls.text = exposition.fetch(cls.live.metrics_port)
        cls.families = exposition.parse(cls.text)
        cls.governed_text = cls.text_of_governed()
        cls.governed = exposition.parse(cls.governed_text)

    @classmethod
    def text_of_governed(cls):
        """What a server in mode clustor shows, with or without an answer from its control plane."""
        env = {"LATTICE_CONTROL_PLANE_MODE": "clustor",
               "LATTICE_CONTROL_PLANE_ENDPOINTS": f"http://127.0.0.1:{processes.free_port()}"}
        server = servers.make("sqlite", cls.lattice, env=env)
        cls.addClassCleanup(server.remove)
        server.start()
        return exposition.fetch(server.metrics_port)

    @classmethod
    def tearDownClass(cls):
        cls.live.remove()

    def check_query(self, query, where):
        """Each metric is there, with each label that the query uses."""
        for name, labels in exposition.names_in(query).items():
            if name == "up":
                continue
            family = self.families.get(exposition.family_of(name, self.families))
            self.assertIsNotNone(family, f"{where}: no metric {name}")
            if family.series:
                self.assertLessEqual(labels - _TARGET_LABELS, family.labels, f"{where}: labels of {name}")

    def test_promtool_finds_nothing_but_etcds_own_names(self):
        for text in (self.text, self.governed_text):
            status, output = promtool("check", "metrics", stdin=text)
            complaints = [line for line in output.splitlines() if line.strip() and not re.match(r"(etcd|grpc)_", line)]
            self.assertEqual(complaints, [], f"status {status}")

    def test_names_of_the_guide_and_of_etcds_dashboards_are_there(self):
        self.assertEqual([name for name in GUIDE + MIXIN if name not in self.families], [])

    def test_the_list_in_the_docs_is_true(self):
        with open(DOC, encoding="utf-8") as file:
            written = file.read()
        known = {name: labels for name, labels in re.findall(r"^\| `(\w+)` \| \w+ \| ([^|]*?) ?\|", written, re.M)}
        wanted = rendered(self.families, self.governed, known)
        if os.environ.get("LATTICE_WRITE_DOCS"):
            with open(DOC, "w", encoding="utf-8") as file:
                file.write(wanted)
        else:
            self.assertEqual(written.splitlines(), wanted.splitlines(), "run this test with LATTICE_WRITE_DOCS=1")

    def test_alert_rules(self):
        for command in (["check", "rules", "lattice.rules.yml"], ["test", "rules", "lattice.rules.test.yml"]):
            status, output = promtool(*command, cwd=os.path.dirname(RULES))
            self.assertEqual(status, 0, output)
        with open(RUNBOOKS, encoding="utf-8") as file:
            headings = set(re.findall(r"^### (\w+)$", file.read(), re.M))
        with open(RULES.replace(".yml", ".test.yml"), encoding="utf-8") as file:
            tested = set(re.findall(r'exp_samples: \[\{labels: \'ALERTS\{alertname="(\w+)"', file.read()))
        found = alerts()
        self.assertEqual({name for name, _query, _notes in found}, headings, "alerts and docs/runbooks.md")
        self.assertEqual(headings, tested, "alerts that a unit test makes fire")
        for name, query, notes in found:
            self.assertEqual(notes["runbook_url"], f"docs/runbooks.md#{name.lower()}")
            self.assertTrue(notes["summary"] and notes["description"], name)
            self.check_query(query, name)

    def test_each_query_of_the_dashboard_and_the_alerts_runs_on_a_prometheus(self):
        subprocess.run([sys.executable, os.path.join(os.path.dirname(DASHBOARD), "make_dashboard.py"), "--check"], check=True)
        with open(DASHBOARD, encoding="utf-8") as file:
            panels = json.load(file)["panels"]
        queries = [(panel["title"], target["expr"], target["legendFormat"]) for panel in panels for target in panel.get("targets", [])]
        self.assertGreater(len(queries), 40)
        ask = self.prometheus()
        for title, query, legend in queries:
            query = query.replace("$job", ".+").replace("$instance", ".+").replace("$__rate_interval", "1m")
            self.check_query(query, title)
            answer = ask(query)
            for name in re.findall(r"\{\{(\w+)\}\}", legend) if answer else ():
                self.assertIn(name, answer[0]["metric"], f"{title}: {query}")
            # What names one metric alone has an answer now if that has series.
            names = exposition.names_in(query)
            plain = len(names) == 1 and not re.search(r"[<>]|==", query)
            if plain and "rate(" not in query and self.families.get(next(iter(names)), exposition.Family("")).series:
                cases.eventually(lambda query=query: ask(query), f"an answer to {title}: {query}")
        for name, query, _notes in alerts():
            cases.eventually(lambda query=query: not ask(query), f"{name} is quiet on a healthy server")

    def prometheus(self):
        """A Prometheus that has scraped the server; answers what asks it a query."""
        folder, port = processes.scratch_folder("prometheus"), processes.free_port()
        with open(os.path.join(folder, "prometheus.yml"), "w", encoding="utf-8") as file:
            file.write("global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs: [{job_name: lattice, static_configs: "
                       f"[{{targets: ['127.0.0.1:{self.live.metrics_port}']}}]}}]\nrule_files: ['{RULES}']\n")
        process = processes.Process("prometheus", [
            paths.find_program("prometheus"), f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
            f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"], os.path.join(folder, "log"))
        self.addCleanup(process.kill)

        def ask(query):
            answer = json.loads(exposition.fetch(port, "/api/v1/query?query=" + urllib.parse.quote(query)))
            self.assertEqual(answer["status"], "success", query)
            return answer["data"]["result"]

        def scraped():
            return cases.http_status(port, "/-/ready") == 200 and ask("up == 1") and ask("sum_over_time(up[1m]) >= 2")
        cases.eventually(scraped, "Prometheus has scraped the server twice", timeout_s=60)
        return ask


if __name__ == "__main__":
    cases.main(__doc__)
