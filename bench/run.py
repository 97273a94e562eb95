#!/usr/bin/python3
"""Measures Lattice beside a real etcd and kine, all with the same durability on the same disk, and prints one table.

    bench/run.py                                  everything; about an hour
    bench/run.py --quick                          the same with a twentieth of the keys and short runs
    bench/run.py --systems etcd,lattice-sqlite --cases fill,put,get
    bench/run.py --systems etcd-3,lattice-3,lattice-3-notify
                                                  three nodes each, and what lies between them
    bench/run.py --tls                            etcd and Lattice with and without TLS on the client port, TLS 1.3 and 1.2
    bench/run.py --render build/bench/latest.json the tables of an earlier run

A figure counts only if every grpc-status was 0, the revision advanced by exactly the writes sent and sampled answers
were right; else it is printed as INVALID, and the exit status is 1.
"""

import argparse
import json
import os
import platform
import sys
import time

_HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [_HERE, os.path.join(os.path.dirname(_HERE), "tests")]

from harness import paths, processes, tools as go_tools  # noqa: E402
from suite import cases, clusters, load, report, systems  # noqa: E402

TLS_SYSTEMS = ("etcd", "etcd-tls", "lattice-sqlite", "lattice-sqlite-tls")


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cpu": models[0] if models else platform.machine(), "cores": os.cpu_count(),
            "memory_gib": round(memory / 2**30), "kernel": platform.release(), "load": os.getloadavg()[0]}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--tls", action="store_true", help="TLS beside plaintext, unless chosen otherwise")
    parser.add_argument("--keys", type=int, help="instead of 1,000,000")
    parser.add_argument("--seconds", type=float, help="length of each timed benchmark instead of 10")
    parser.add_argument("--systems", help="comma-separated, of " + ", ".join(systems.NAMES))
    parser.add_argument("--cases", help="comma-separated, of " + ", ".join(cases.ORDER))
    parser.add_argument("--build-dir", default=os.path.join(paths.SOURCE, "build", "release"))
    parser.add_argument("--lattice", help="the binary, if it is not the build folder's")
    parser.add_argument("--out", default=os.path.join(paths.SOURCE, "build", "bench"), help="folder for the results")
    parser.add_argument("--render", metavar="JSON", help="print the tables of an earlier run, and measure nothing")
    return parser.parse_args()


def chosen(text, known, default):
    if not text:
        return list(default)
    names = text.split(",")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise SystemExit(f"unknown: {', '.join(unknown)}; known: {', '.join(known)}")
    return names


def default_systems(lattice):
    names = ["etcd34"]
    if go_tools.have_go():
        names = ["etcd", "etcd34", "kine"]
    else:
        print("no Go: only Debian's etcd is measured, and no kine", file=sys.stderr)
    if os.path.exists(lattice):
        names += ["lattice-sqlite", "lattice-postgres"]
    return names + clusters.measurable(lattice)


def measure(name, wanted, plan, tools, factory):
    """All wanted benchmarks of one system; one that fails does not keep the others from running."""
    system = factory.make(name)
    run = cases.Run(system, plan, tools, factory)
    wanted = [case for case in wanted if case in cases.of(name)]
    if cases.NEEDS_FILL.intersection(wanted):
        wanted.append("fill")
    results = {}
    for case in sorted(set(wanted), key=cases.ORDER.index):
        try:
            if not system.alive():
                system.start()
            results[case] = getattr(run, case)()
        except (processes.ProcessFailed, OSError) as error:
            results[case] = {"valid": False, "errors": {str(error): 1}}
        show(name, case, results[case])
    system.remove()
    return results


def show(name, case, result):
    figures = [f"{key} {result[key]:,.1f}" for key in ("per_second", "seconds", "server_cpu_us") if key in result]
    figures += [f"{key} {result[key]:,.3f}" for key in ("median_seconds", "max_seconds") if key in result]
    if "latency_us" in result:
        figures.append("p50 {p50:,.0f} us, p99 {p99:,.0f} us".format(**result["latency_us"]))
    if "pss" in result:
        figures.append(f"PSS {result['pss'] / 2**20:,.0f} MiB")
    if not result["valid"]:
        figures = [f"INVALID {result['errors']}"]
    print(f"{name:17} {case:19} " + ", ".join(figures) + (" (noisy)" if result.get("noisy") else ""),
          file=sys.stderr, flush=True)


def write(run, folder):
    os.makedirs(folder, exist_ok=True)
    stem = time.strftime("%Y%m%d-%H%M%S")
    for name in (stem, "latest"):
        with open(os.path.join(folder, name + ".json"), "w", encoding="utf-8") as file:
            json.dump(run, file, indent=1)
        with open(os.path.join(folder, name + ".md"), "w", encoding="utf-8") as file:
            file.write(report.markdown(run))


def main():
    options = arguments()
    if options.render:
        with open(options.render, encoding="utf-8") as file:
            print(report.markdown(json.load(file)))
        return 0
    lattice = options.lattice or os.path.join(options.build_dir, "lattice")
    plan = cases.Plan(options.quick, options.keys, options.seconds)
    tools = load.Tools(options.build_dir)
    factory = systems.Factory(lattice)
    run = {"machine": machine(), "when": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
           "plan": f"{plan.keys:,} keys, {plan.seconds:g} s each", "results": {}}
    default = TLS_SYSTEMS if options.tls else default_systems(lattice)
    for name in chosen(options.systems, systems.NAMES, default):
        wanted = chosen(options.cases, cases.ORDER, sorted(cases.OF_TLS) if options.tls else cases.ORDER)
        run["results"][name] = measure(name, wanted, plan, tools, factory)
        write(run, options.out)
    print(report.markdown(run))
    return 0 if all(result["valid"] for measured in run["results"].values() for result in measured.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
