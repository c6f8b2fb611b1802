#!/usr/bin/env python3
"""What a sample costs, beside vmagent: the table of the README, all of it from one run. Standard library only, loopback only.

    cargo build --profile dist --workspace
    scripts/figures.py                    # prints the table: a quarter of an hour
    scripts/figures.py --write            # and puts it into README.md
    SERIES=100000 ROUNDS=1 scripts/figures.py     # a short one

A closed loop: 300,000 series of 14 labels (SERIES) over four connections, SCRAPES (8) of them after one that warms up, through each
program in turns, ROUNDS (3) times, to a sink that counts bytes. The median of the rounds stands in the table. CPU is of the whole process,
user and system, from /proc; memory is what it holds at the end. PROGRAMS names another directory than target/dist. Where vmagent is not
there, its column is left out.
"""

import json
import os
import platform
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

PROGRAMS = os.environ.get("PROGRAMS", "target/dist")
SERIES = int(os.environ.get("SERIES", "300000"))
SCRAPES = int(os.environ.get("SCRAPES", "8"))
ROUNDS = int(os.environ.get("ROUNDS", "3"))
# no program is waited for longer, seconds
PATIENCE = 30
BEGIN, END = "<!-- figures: begin (scripts/figures.py --write) -->", "<!-- figures: end -->"

# what is done, the share of new series in a scrape, policies of the gate, relabeling of vmagent
WORKS = [
    ("forward all", 0.0, "", ""),
    ("forward all, 2% of the series new with each scrape", 0.02, "", ""),
    (
        "drop a third by regex",
        0.0,
        "policies: [ { name: third, match: '{__name__=~\"container_(cpu|memory|fs_reads).+\"}', action: drop } ]\n",
        "- { action: drop, source_labels: [__name__], regex: 'container_(cpu|memory|fs_reads).+' }\n",
    ),
    (
        "remove a label of all",
        0.0,
        "policies: [ { name: node, action: relabel, relabel_configs: [ { action: labeldrop, regex: node } ] } ]\n",
        "- { action: labeldrop, regex: node }\n",
    ),
]


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_until_there(process, port):
    """Until something listens on the port; what it said if it ended instead."""
    for _ in range(PATIENCE * 20):
        if process.poll() is not None:
            raise SystemExit(f"{process.args[0]} ended with status {process.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit(f"{process.args[0]} does not listen on port {port}")


class Started:
    """A process that ends with the block."""

    def __init__(self, command, port):
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            wait_until_there(self.process, port)
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self):
        return self.process.pid

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def gate(folder, port, sink, work):
    config = os.path.join(folder, "gate.yaml")
    with open(config, "w", encoding="utf-8") as file:
        file.write(
            f"listen: {{ address: '127.0.0.1:{port}' }}\nadmin: {{ address: '127.0.0.1:{free_port()}' }}\n"
            f"upstreams: [ {{ name: sink, url: 'http://127.0.0.1:{sink}/api/v1/write' }} ]\n{work[2]}"
        )
    return [f"{PROGRAMS}/seriesgate", "run", "--config", config]


def vmagent(folder, port, sink, work):
    command = [
        "vmagent",
        f"-httpListenAddr=127.0.0.1:{port}",
        f"-remoteWrite.url=http://127.0.0.1:{sink}/api/v1/write",
        f"-remoteWrite.tmpDataPath={folder}/queue",
        "-loggerLevel=ERROR",
    ]
    if work[3]:
        rules = os.path.join(folder, "rules.yaml")
        with open(rules, "w", encoding="utf-8") as file:
            file.write(work[3])
        command.append(f"-remoteWrite.relabelConfig={rules}")
    return command


def measure(program, work):
    """Nanoseconds of CPU a sample, and MiB."""
    with tempfile.TemporaryDirectory() as folder:
        sink_port, port = free_port(), free_port()
        sink = [f"{PROGRAMS}/seriesgate-loadtest", "sink", f"127.0.0.1:{sink_port}", "--count", "bytes", "--keep-running"]
        with Started(sink, sink_port), Started(program(folder, port, sink_port, work), port) as pid:
            blast = subprocess.run(
                [
                    f"{PROGRAMS}/seriesgate-loadtest", "blast", f"http://127.0.0.1:{port}/api/v1/write", "--json", "--quiet",
                    "--series", str(SERIES), "--scrapes", str(SCRAPES), "--churn", str(work[1]), "--pid", str(pid),
                ],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if blast.returncode != 0:
                raise SystemExit(f"not all samples were accepted by {program.__name__}:\n{blast.stdout}{blast.stderr}")
            cost = json.loads(blast.stdout)["process"]
            return cost["cpu_ns_per_sample"], cost["rss_mib"]


def version(command):
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    return (said.stdout + said.stderr).strip().splitlines()[0]


def vmagent_version():
    package = subprocess.run(
        ["dpkg-query", "-W", "-f", "${Version}", "victoria-metrics"], capture_output=True, text=True, check=False
    )
    return package.stdout.split("+")[0] or version(["vmagent", "--version"])


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        names = [line.split(":", 1)[1].strip() for line in file if line.startswith("model name")]
    return f"{len(names)} cores, {names[0] if names else platform.machine()}"


def table(results, programs):
    others = len(programs) > 1
    yield "| CPU a sample, median (least to most) | seriesgate |" + (" vmagent | ratio |" if others else "")
    yield "|---|---|" + ("---|---|" if others else "")
    shown = lambda values: f"{statistics.median(values):,.0f} ns ({min(values):,.0f} to {max(values):,.0f})"
    for work in WORKS:
        cpu = [[ns for ns, _ in results[program, work[0]]] for program in programs]
        row = f"| {work[0]} | " + " | ".join(map(shown, cpu)) + " |"
        yield row + (f" {statistics.median(cpu[1]) / statistics.median(cpu[0]):.1f} |" if others else "")
    memory = [statistics.median(mib for _, mib in results[program, WORKS[0][0]]) for program in programs]
    row = f"| memory, {WORKS[0][0]} | " + " | ".join(f"{mib:,.0f} MiB" for mib in memory) + " |"
    yield row + (f" {memory[1] / memory[0]:.1f} |" if others else "")


def text(results, programs):
    today = time.strftime("%Y-%m-%d", time.gmtime())
    beside = f", vmagent {vmagent_version()}" if len(programs) > 1 else ""
    yield f"{today}, {version([PROGRAMS + '/seriesgate', '--version'])}, `{os.path.basename(os.path.normpath(PROGRAMS))}` build{beside}; {processor()}, shared;"
    yield f"{SERIES:,} series of 14 labels, {SCRAPES} scrapes in a closed loop, in turns, {ROUNDS} rounds."
    yield ""
    yield from table(results, programs)


def write(block):
    with open("README.md", encoding="utf-8") as file:
        readme = file.read()
    head, rest = readme.split(BEGIN)
    with open("README.md", "w", encoding="utf-8") as file:
        file.write(f"{head}{BEGIN}\n\n{block}\n\n{END}{rest.split(END)[1]}")


def main():
    programs = [gate] + ([vmagent] if shutil.which("vmagent") else [])
    results = {(program, work[0]): [] for program in programs for work in WORKS}
    for turn in range(ROUNDS):
        for work in WORKS:
            for program in programs:
                found = measure(program, work)
                results[program, work[0]].append(found)
                print(f"round {turn + 1}  {work[0]:<52} {program.__name__:<8} {found[0]:>6.0f} ns {found[1]:>6.0f} MiB", file=sys.stderr)
    block = "\n".join(text(results, programs))
    print(block)
    if "--write" in sys.argv[1:]:
        write(block)


if __name__ == "__main__":
    main()
