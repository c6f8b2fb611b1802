#!/usr/bin/env python3
"""Senders that want the memory of a gate, beside honest ones. Standard library only, loopback only.

    cargo build --release
    scripts/adversary.py                                 # all of them, with a limit of 256 MiB: ten minutes
    SECONDS_EACH=10 scripts/adversary.py never-seen      # this one only, shortened

  never-seen     four connections send a series that was never seen in every sample, as fast as they are answered
  limited        the same, of eight groups of a limit, none of which may ever admit more than its 1,000
  tenants        100,000 tenants, each with a counter that a policy aggregates
  senders        20,000 addresses (127.x.y.z), each with a series of its own
  label-names    1,000,000 label names

Honest senders write the same 20,000 series once a second all the while. Each adversary fails the run where the process takes more
than the limit (MEMORY_MIB, 256), where the honest senders get less than 80% of what they send without an adversary through, where
an answer is none of 204 and 503, where a sample has no fate or two, where a limit is passed, or where all is not as before a while after the
adversary has gone.
GATE names another program than that of target/release.
"""

import json
import multiprocessing
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

GATE = os.environ.get("GATE", "target/release/seriesgate")
LIMIT_MIB = int(os.environ.get("MEMORY_MIB", "256"))
SECONDS = float(os.environ.get("SECONDS_EACH", "60"))
HONEST, HONEST_CONNECTIONS, BATCH = 20_000, 4, 2000
# a series is forgotten so soon that the end of each run need not wait for 20 minutes
IDLE_SECONDS = 30

CONFIG = """
listen: {{ address: 127.0.0.1:{write} }}
admin: {{ address: 127.0.0.1:{admin} }}
memory: {{ limit: {limit}MiB }}
series: {{ idle_after: {idle}s, warmup: 0s }}
tenant: {{ max: 65535 }}
upstreams: [ {{ name: sink, url: 'http://127.0.0.1:{sink}/api/v1/write' }} ]
policies:
  - {{ name: sum, match: adversary_total, action: aggregate, without: [id], interval: 15s }}
  - {{ name: each, match: limited_seconds, action: limit, by: [instance], max_series: {most} }}
"""
# series that a group of the limit may admit
MOST = 1000


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def sample(ms):
    return field(2, b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(ms))


def label(name, value):
    return field(1, field(1, name) + field(2, value))


def series(pairs, ms):
    return field(1, b"".join(label(name, value) for name, value in sorted(pairs)) + sample(ms))


def never_seen(numbers, ms, metric=b"adversary_seconds", host=1):
    """Series that differ by a number of ten digits: all but that is encoded once."""
    pairs = [(b"__name__", metric), (b"id", b"0123456789"), (b"instance", b"10.0.0.%d:9100" % host), (b"job", b"adversary")]
    before, after = series(pairs, ms).split(b"0123456789")
    return b"".join([before + b"%010d" % number + after for number in numbers])


def snappy(raw):
    """One literal."""
    return varint(len(raw)) + bytes([63 << 2]) + struct.pack("<I", len(raw) - 1) + raw


class Connection:
    """A connection that is kept, and made again where the gate closed it."""

    def __init__(self, port, source="127.0.0.1", tenant=""):
        self.port, self.source, self.tenant, self.socket = port, source, tenant, None
        self.codes = {}

    def write(self, body):
        """The status code; 0 where there was no answer."""
        head = "POST /api/v1/write HTTP/1.1\r\nHost: gate\r\nContent-Encoding: snappy\r\nContent-Type: application/x-protobuf\r\n"
        if self.tenant:
            head += f"X-Scope-OrgID: {self.tenant}\r\n"
        request = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
        for _ in range(2):
            code = self.once(request)
            if code:
                break
            self.close()
        self.codes[code] = self.codes.get(code, 0) + 1
        return code

    def once(self, request):
        try:
            if self.socket is None:
                self.socket = socket.create_connection(("127.0.0.1", self.port), 30, (self.source, 0))
                self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.socket.sendall(request)
            answer = b""
            while b"\r\n\r\n" not in answer:
                more = self.socket.recv(65536)
                if not more:
                    return 0
                answer += more
            head, _, body = answer.partition(b"\r\n\r\n")
            length = re.search(rb"content-length: *(\d+)", head, re.I)
            missing = int(length.group(1)) - len(body) if length else 0
            while missing > 0:
                missing -= len(self.socket.recv(missing)) or missing
            if b"connection: close" in head.lower():
                self.close()
            return int(head.split(b" ", 2)[1])
        except OSError:
            return 0

    def close(self):
        if self.socket is not None:
            self.socket.close()
            self.socket = None


def milliseconds():
    return int(time.time() * 1000)


def honest(port, number, stop, results):
    """A share of the honest series once a second; what is refused for now comes again until the next is due."""
    mine = range(number, HONEST, HONEST_CONNECTIONS)
    pairs = [[(b"__name__", b"honest_seconds"), (b"id", b"%d" % i), (b"job", b"honest")] for i in mine]
    connection = Connection(port, f"127.0.1.{number + 1}")
    due, offered, accepted, worst = time.time(), 0, 0, 0.0
    while not stop.is_set():
        due += 1
        ms = milliseconds()
        for at in range(0, len(pairs), BATCH):
            body = snappy(b"".join(series(of, ms) for of in pairs[at : at + BATCH]))
            count = len(pairs[at : at + BATCH])
            offered += count
            began = time.time()
            while connection.write(body) == 503 and time.time() < due + 5:
                time.sleep(0.05)
            if connection.codes.get(0, 0) == 0 and time.time() < due + 5:
                accepted += count
            worst = max(worst, time.time() - began)
        behind = time.time() - due
        if behind > 5:
            # what was due in the meantime was not sent: it counts as offered
            offered += int(behind) * len(pairs)
            due += int(behind)
        time.sleep(max(0.0, due - time.time()))
    results.put(("honest", offered, accepted, connection.codes, worst))


def adversary(kind, port, number, of, stop, results):
    connection, sent = Connection(port, f"127.0.2.{number + 1}"), 0
    if kind in ("never-seen", "limited"):
        metric = b"limited_seconds" if kind == "limited" else b"adversary_seconds"
        while not stop.is_set():
            at = (sent * of + number * BATCH)
            host = 1 + at // BATCH % 8
            if connection.write(snappy(never_seen(range(at, at + BATCH), milliseconds(), metric, host))) == 503:
                time.sleep(0.05)
            sent += BATCH
    elif kind == "tenants":
        for tenant in range(number, 100_000, of):
            if stop.is_set():
                break
            connection.tenant = f"tenant-{tenant}"
            connection.write(snappy(series([(b"__name__", b"adversary_total"), (b"id", b"1")], milliseconds())))
            sent += 1
    elif kind == "senders":
        for i in range(number, 20_000, of):
            if stop.is_set():
                break
            one = Connection(port, f"127.{16 + (i >> 16)}.{i >> 8 & 255}.{i & 255 or 1}")
            one.codes = connection.codes
            one.write(snappy(never_seen([i], milliseconds())))
            one.close()
            sent += 1
    elif kind == "label-names":
        for at in range(number, 10_000, of):
            if stop.is_set():
                break
            names = [(b"l%07d" % (at * 100 + i), b"x") for i in range(100)]
            connection.write(snappy(series([(b"__name__", b"adversary_seconds"), *names], milliseconds())))
            sent += 100
    results.put(("adversary", sent, 0, connection.codes, 0.0))


def take(connection):
    """Reads what comes and says that it is written."""
    with connection, connection.makefile("rb") as incoming:
        while line := incoming.readline():
            length = 0
            while line not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
                line = incoming.readline()
            while length > 0:
                length -= len(incoming.read(min(length, 1 << 16))) or length
            connection.sendall(b"HTTP/1.1 204 No Content\r\n\r\n")


def serve_sink(port):
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        while True:
            threading.Thread(target=take, args=(listener.accept()[0],), daemon=True).start()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Gate:
    def __init__(self, directory):
        self.write, self.admin, sink = free_port(), free_port(), free_port()
        path = os.path.join(directory, "gate.yaml")
        with open(path, "w") as file:
            file.write(CONFIG.format(write=self.write, admin=self.admin, sink=sink, limit=LIMIT_MIB, idle=IDLE_SECONDS, most=MOST))
        self.log = open(os.path.join(directory, "gate.log"), "w+")
        self.sink = multiprocessing.Process(target=serve_sink, args=(sink,), daemon=True)
        self.sink.start()
        self.process = subprocess.Popen([GATE, "run", "--config", path], stdout=self.log, stderr=self.log)
        for _ in range(200):
            try:
                return self.health() and None
            except OSError:
                time.sleep(0.05)
        sys.exit("the gate did not start")

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=30) as answer:
            return answer.read().decode()

    def health(self):
        return json.loads(self.get("/-/healthy"))["memory"]

    def metrics(self):
        found = {}
        for line in self.get("/metrics").splitlines():
            if not line.startswith("#") and line:
                name, value = line.rsplit(" ", 1)
                name = name.split("{")[0]
                found[name] = found.get(name, 0.0) + float(value)
        return found

    def admitted(self):
        """Series of the fullest group of a limit."""
        limits = [policy["limit"] for policy in json.loads(self.get("/api/v1/policies"))["policies"] if policy["limit"]]
        return max((group["series"] for limit in limits for group in limit["fullest"]), default=0)

    def status(self, key):
        with open(f"/proc/{self.process.pid}/status") as file:
            return int(re.search(rf"{key}:\s+(\d+)", file.read()).group(1)) / 1024

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def end(self):
        self.process.terminate()
        self.process.wait(60)
        self.sink.terminate()
        self.sink.join(10)


def run_for(gate, seconds, kind=None, adversaries=4):
    """What honest senders had, what the adversary sent, the highest level."""
    stop, results = multiprocessing.Event(), multiprocessing.Queue()
    senders = [multiprocessing.Process(target=honest, args=(gate.write, i, stop, results)) for i in range(HONEST_CONNECTIONS)]
    others = [multiprocessing.Process(target=adversary, args=(kind, gate.write, i, adversaries, stop, results))
              for i in range(adversaries if kind else 0)]
    cpu = gate.cpu()
    for process in senders + others:
        process.start()
    until, level, admitted = time.time() + seconds, "normal", 0
    order = ["normal", "evicting", "shrinking", "closed"]
    while time.time() < until and (not others or any(process.is_alive() for process in others)):
        level = max(level, gate.health()["level"], key=order.index)
        admitted = max(admitted, gate.admitted())
        time.sleep(0.2)
    stop.set()
    told = [results.get(timeout=120) for _ in senders + others]
    for process in senders + others:
        process.join(30)
    codes = {}
    for _, _, _, of, _ in told:
        for code, count in of.items():
            codes[code] = codes.get(code, 0) + count
    own = [of for of in told if of[0] == "honest"]
    return {
        "share": sum(of[2] for of in own) / max(1, sum(of[1] for of in own)),
        "worst": max(of[4] for of in own),
        "sent": sum(of[1] for of in told if of[0] == "adversary"),
        "codes": codes, "level": level, "cpu": gate.cpu() - cpu, "admitted": admitted,
    }


def comes_back(gate):
    """Whether the gate gives up nothing any more, and has forgotten the adversary."""
    until = time.time() + 4 * IDLE_SECONDS + 60
    while time.time() < until:
        if gate.health()["level"] == "normal" and gate.metrics()["seriesgate_active_series"] <= HONEST:
            return True
        time.sleep(1)
    return False


def attack(kind):
    with tempfile.TemporaryDirectory() as directory:
        gate = Gate(directory)
        try:
            before = run_for(gate, min(10, SECONDS))
            during = run_for(gate, SECONDS if kind in ("never-seen", "limited") else 10 * SECONDS, kind)
            peak, counted = gate.status("VmHWM"), gate.metrics()
            back = comes_back(gate)
            received = counted["seriesgate_samples_received_total"]
            fates = counted["seriesgate_samples_total"]
            faults = []
            if peak > LIMIT_MIB:
                faults.append(f"{peak:.0f} MiB are more than {LIMIT_MIB}")
            if during["share"] < 0.8 * before["share"]:
                faults.append("honest senders get too little through")
            if not set(during["codes"]) <= {204, 503}:
                faults.append(f"answers {during['codes']}")
            if received != fates:
                faults.append(f"{received:.0f} samples received, {fates:.0f} fates")
            if during["admitted"] > MOST or (kind == "limited") != (during["admitted"] > 0):
                faults.append(f"{during['admitted']} series admitted by one group")
            if not back:
                faults.append(f"not as before: {gate.health()}, {gate.metrics()['seriesgate_active_series']:.0f} series")
            print(f"{kind:12} {during['sent']:>11,} sent, level {during['level']}, peak {peak:.0f} MiB of {LIMIT_MIB}, "
                  f"afterwards {gate.status('VmRSS'):.0f}; honest {100 * during['share']:.0f}% "
                  f"(alone {100 * before['share']:.0f}%), slowest answer {during['worst']:.1f} s; cpu {during['cpu']:.0f} s, "
                  f"{counted['seriesgate_untracked_series_total']:,.0f} untracked, "
                  f"{counted['seriesgate_evicted_series_total']:,.0f} evicted; answers "
                  f"{', '.join(f'{n} x {code}' for code, n in sorted(during['codes'].items()))}: "
                  f"{'; '.join(faults) or 'ok'}", flush=True)
            if faults:
                gate.log.seek(0)
                print(gate.log.read()[-2000:])
            return not faults
        finally:
            gate.end()


if __name__ == "__main__":
    kinds = sys.argv[1:] or ["never-seen", "limited", "tenants", "senders", "label-names"]
    sys.exit(not all([attack(kind) for kind in kinds]))
