#!/usr/bin/python3
"""Writes lattice.json, the Grafana dashboard, from the table below: make_dashboard.py [--check]

Rows follow the questions of a bad night: is it up, does it answer, is it slow, what is it waiting for, who is asking.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
PATH = os.path.join(HERE, "lattice.json")

_SELECT = 'job=~"$job",instance=~"$instance"'
_RATE = "$__rate_interval"


def _rate(metric, by="", **labels):
    extra = "".join(f",{name}{value}" for name, value in labels.items())
    rate = f"rate({metric}{{{_SELECT}{extra}}}[{_RATE}])"
    return f"sum by ({by}) ({rate})" if by else rate


def _gauge(metric):
    return f"{metric}{{{_SELECT}}}"


def _quantile(q, metric, by, **labels):
    return f"histogram_quantile({q}, {_rate(metric + '_bucket', by + ', le', **labels)})"


_UNARY = {"grpc_type": '="unary"', "grpc_method": '!~"Defragment|Lock|Campaign"'}

# Row: panels, each (title, unit, [(query, legend)]).
ROWS = [
    ("State", [
        ("Up", "none", [('up{job=~"$job",instance=~"$instance"}', "{{instance}}")]),
        ("Linearizable answers (LIN-BOUND)", "none", [(_gauge("lattice_lin_bound_can_linearize"), "{{instance}}")]),
        ("Control plane cache", "none", [(f"{_gauge('lattice_cp_cache_state')} == 1", "{{instance}} {{state}}")]),
        ("Leads", "none", [(_gauge("etcd_server_is_leader"), "{{instance}}")]),
        ("Database and Redis", "none", [(_gauge("lattice_backend_up"), "{{instance}} database"),
                                        (_gauge("lattice_fanout_up"), "{{instance}} Redis")]),
        ("Leader changes seen", "none", [
            (f"increase(etcd_server_leader_changes_seen_total{{{_SELECT}}}[1h])", "{{instance}} in the last hour")]),
    ]),
    ("Requests", [
        ("Requests", "reqps", [(_rate("lattice_adapter_etcd_requests_total", "instance"), "{{instance}}")]),
        ("Errors, of all requests", "percentunit", [
            (f"{_rate('lattice_adapter_etcd_errors_total', 'instance')} / "
             f"{_rate('lattice_adapter_etcd_requests_total', 'instance')}", "{{instance}}")]),
        ("By method", "reqps", [(_rate("grpc_server_started_total", "grpc_service, grpc_method") + " > 0", "{{grpc_method}}")]),
        ("Errors by code", "reqps", [
            (_rate("grpc_server_handled_total", "grpc_method, grpc_code", grpc_code='!~"OK|Canceled"') + " > 0",
             "{{grpc_method}} {{grpc_code}}")]),
        ("Latency, p99 by method", "s", [(_quantile(0.99, "grpc_server_handling_seconds", "grpc_method", **_UNARY), "{{grpc_method}}")]),
        ("Latency by outcome, p50", "s", [
            (_quantile(0.5, "lattice_request_duration_seconds", "grpc_method, grpc_code",
                       grpc_service='="etcdserverpb.KV"'), "{{grpc_method}} {{grpc_code}}")]),
        ("Slow requests", "reqps", [(_rate("lattice_slow_requests_total", "instance"), "{{instance}}")]),
        ("Traffic", "Bps", [(_rate("etcd_network_client_grpc_received_bytes_total", "instance"), "{{instance}} in"),
                            (_rate("etcd_network_client_grpc_sent_bytes_total", "instance"), "{{instance}} out")]),
        ("Connections", "none", [(_gauge("lattice_connections"), "{{instance}}")]),
    ]),
    ("Log", [
        ("Append, p50 and p99", "s", [(_quantile(q, "etcd_disk_wal_fsync_duration_seconds", "instance"), "{{instance}} p" + name)
                                      for q, name in ((0.5, "50"), (0.99, "99"))]),
        ("Batches", "ops", [(_rate("lattice_log_batch_operations_count", "instance"), "{{instance}}")]),
        ("Operations in a batch, mean", "none", [
            (f"{_rate('lattice_log_batch_operations_sum', 'instance')} / {_rate('lattice_log_batch_operations_count', 'instance')}",
             "{{instance}}")]),
        ("Records in a batch, p99", "none", [(_quantile(0.99, "lattice_log_batch_records", "instance"), "{{instance}}")]),
        ("Pending operations", "none", [(_gauge("etcd_server_proposals_pending"), "{{instance}}")]),
        ("Appends rejected, unknown, failed", "ops", [
            (_rate("lattice_log_appends_rejected_total"), "{{instance}} rejected"),
            (_rate("lattice_log_appends_unknown_total"), "{{instance}} unknown"),
            (_rate("etcd_server_proposals_failed_total"), "{{instance}} failed")]),
        ("Reads that waited for their fence", "ops", [(_rate("lattice_read_fence_duration_seconds_count", "instance"), "{{instance}}")]),
        ("Fence, p99", "s", [(_quantile(0.99, "lattice_read_fence_duration_seconds", "instance"), "{{instance}}")]),
    ]),
    ("Keyspace", [
        ("Revision", "none", [(_gauge("lattice_kv_revision"), "{{instance}}")]),
        ("Revisions since the last compaction", "none", [
            (f"{_gauge('etcd_debugging_mvcc_current_revision')} - {_gauge('etcd_debugging_mvcc_compact_revision')}", "{{instance}}")]),
        ("Keys", "none", [(_gauge("etcd_debugging_mvcc_keys_total"), "{{instance}}")]),
        ("Stored", "bytes", [(_gauge("etcd_mvcc_db_total_size_in_bytes"), "{{instance}}"),
                             (_gauge("etcd_mvcc_db_total_size_in_use_in_bytes"), "{{instance}} in use")]),
        ("Puts, deletes, transactions", "ops", [
            (_rate("etcd_mvcc_put_total"), "{{instance}} put"), (_rate("etcd_mvcc_delete_total"), "{{instance}} delete"),
            (_rate("etcd_mvcc_txn_total"), "{{instance}} txn")]),
        ("Leases", "none", [(_gauge("lattice_lease_active_leases"), "{{instance}}")]),
    ]),
    ("Watches", [
        ("Streams and watchers", "none", [(_gauge("lattice_watch_active_streams"), "{{instance}} streams"),
                                          (_gauge("etcd_debugging_mvcc_watcher_total"), "{{instance}} watchers")]),
        ("Events", "ops", [(_rate("etcd_debugging_mvcc_events_total"), "{{instance}}")]),
        ("Watchers that are behind", "none", [(_gauge("etcd_debugging_mvcc_slow_watcher_total"), "{{instance}}")]),
        ("Revisions behind", "none", [(f"max by (instance, tenant) ({_gauge('lattice_tenant_watch_lag_revisions')}) > 0",
                                       "{{instance}} {{tenant}}")]),
    ]),
    ("Tenants", [
        ("Tenants", "none", [(_gauge("lattice_tenants"), "{{instance}}"), (_gauge("lattice_tenants_loaded"), "{{instance}} loaded")]),
        ("Busiest", "reqps", [(f"topk(10, {_rate('lattice_tenant_requests_total', 'tenant')})", "{{tenant}}")]),
        ("Delayed and refused", "reqps", [(_rate("lattice_ratelimit_delayed_total", "tenant") + " > 0", "{{tenant}} delayed"),
                                          (_rate("lattice_ratelimit_rejected_total", "tenant") + " > 0", "{{tenant}} refused")]),
        ("Largest in memory", "bytes", [(f"topk(10, max by (tenant) ({_gauge('lattice_tenant_cache_bytes')}))", "{{tenant}}")]),
        ("Storage quota used", "percentunit", [
            (f"topk(10, max by (tenant) ({_gauge('lattice_tenant_quota_used_bytes')} / ({_gauge('lattice_tenant_quota_bytes')} > 0)))",
             "{{tenant}}")]),
    ]),
    ("Process", [
        ("CPU", "none", [(_rate("process_cpu_seconds_total"), "{{instance}} cores")]),
        ("Memory", "bytes", [(_gauge("process_resident_memory_bytes"), "{{instance}}"),
                             (_gauge("lattice_cache_bytes"), "{{instance}} keyspaces")]),
        ("File descriptors", "none", [(_gauge("process_open_fds"), "{{instance}}")]),
        ("Certificates expire in", "s", [(f"{_gauge('lattice_tls_certificate_expiry_timestamp_seconds')} - time()", "{{instance}} {{use}}")]),
        ("Connections that failed", "ops", [(_rate("lattice_connection_failures_total", "instance, reason"), "{{instance}} {{reason}}")]),
        ("Told to go", "ops", [(_rate("lattice_http2_goaway_sent_total", "instance, reason"), "{{instance}} {{reason}}")]),
    ]),
]

_COLUMNS, _WIDTH, _HEIGHT = 3, 8, 7


def _panel(number, x, y, title, unit, queries):
    return {"id": number, "type": "timeseries", "title": title, "gridPos": {"x": x, "y": y, "w": _WIDTH, "h": _HEIGHT},
            "datasource": {"type": "prometheus", "uid": "${datasource}"},
            "fieldConfig": {"defaults": {"unit": unit, "min": 0}, "overrides": []},
            "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi"}},
            "targets": [{"refId": chr(ord("A") + i), "expr": query, "legendFormat": legend,
                         "datasource": {"type": "prometheus", "uid": "${datasource}"}} for i, (query, legend) in enumerate(queries)]}


def _variable(name, label, query):
    return {"name": name, "label": label, "type": "query", "query": query, "refresh": 2, "multi": True, "includeAll": True,
            "allValue": ".+", "sort": 1, "current": {"text": "All", "value": "$__all"},
            "datasource": {"type": "prometheus", "uid": "${datasource}"}}


def dashboard():
    panels, y, number = [], 0, 0
    for row, content in ROWS:
        number += 1
        panels.append({"id": number, "type": "row", "title": row, "collapsed": False, "panels": [],
                       "gridPos": {"x": 0, "y": y, "w": _COLUMNS * _WIDTH, "h": 1}})
        y += 1
        for i, (title, unit, queries) in enumerate(content):
            number += 1
            panels.append(_panel(number, i % _COLUMNS * _WIDTH, y + i // _COLUMNS * _HEIGHT, title, unit, queries))
        y += (len(content) + _COLUMNS - 1) // _COLUMNS * _HEIGHT
    return {"uid": "lattice", "title": "Lattice", "tags": ["lattice", "etcd"], "schemaVersion": 38, "version": 1, "editable": True,
            "timezone": "browser", "refresh": "30s", "time": {"from": "now-1h", "to": "now"},
            "templating": {"list": [
                {"name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus",
                 "current": {"text": "default", "value": "default"}},
                _variable("job", "Job", "label_values(lattice_build_info, job)"),
                _variable("instance", "Instance", 'label_values(lattice_build_info{job=~"$job"}, instance)')]},
            "panels": panels}


def text():
    return json.dumps(dashboard(), indent=1) + "\n"


def main():
    if sys.argv[1:] == ["--check"]:
        with open(PATH, encoding="utf-8") as file:
            return 0 if file.read() == text() else f"{PATH} is not what {__file__} writes: run it"
    with open(PATH, "w", encoding="utf-8") as file:
        file.write(text())
    return 0


if __name__ == "__main__":
    sys.exit(main())
