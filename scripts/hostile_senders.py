#!/usr/bin/env python3
"""What senders and configs that do harm cost a gate, in figures. Standard library only, loopback only, about a minute.

    cargo build --release && scripts/hostile_senders.py [target/release/seriesgate]

Each line says what there was, and what there was in seriesgate before it knew these senders. Exits 1 where a figure is worse
than the bound beside it.

  refused for ever    a sender that repeats what was refused until it is answered 2xx (Telegraf does)
  self-loop           a gate that is its own upstream
  junk tenants        1,000 tenants that nobody has, then one that a policy is to drop
  byte dribblers      64 connections that declare 1 MiB each and send one byte, in front of a budget of 64 MiB
  1,000 policies      a gate with nothing to do but to look whether its config changed
"""

import http.client
import http.server
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

BINARY = sys.argv[1] if len(sys.argv) > 1 else "target/release/seriesgate"
failed = []


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def field(number, content):
    return varint(number << 3 | 2) + varint(len(content)) + content


def series(**labels):
    """A series without `name` has no metric name, which no gate accepts."""
    if "name" in labels:
        labels["__name__"] = labels.pop("name")
    pairs = (field(1, field(1, name.encode()) + field(2, value.encode())) for name, value in sorted(labels.items()))
    sample = b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(int(time.time() * 1000))
    return field(1, b"".join(pairs) + field(2, sample))


def snappy(raw):
    """Literals only."""
    out = varint(len(raw))
    for at in range(0, len(raw), 65536):
        piece = raw[at : at + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return out


def free_port():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return held.getsockname()[1]


class Sink:
    """Takes everything, and counts requests."""

    def __init__(self):
        self.requests = 0
        sink = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                self.rfile.read(int(self.headers["content-length"]))
                sink.requests += 1
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, daemon=True).start()


class Gate:
    def __init__(self, config, upstream=None, listen=""):
        self.write, self.admin = free_port(), free_port()
        self.dir = tempfile.TemporaryDirectory(prefix="hostile-")
        path = os.path.join(self.dir.name, "gate.yaml")
        with open(path, "w") as file:
            file.write(
                f"listen: {{ address: '127.0.0.1:{self.write}'{listen} }}\nadmin: {{ address: '127.0.0.1:{self.admin}' }}\n"
                f"upstreams: [ {{ name: a, url: 'http://127.0.0.1:{upstream or self.write}/api/v1/write' }} ]\n{config}"
            )
        log = open(os.path.join(self.dir.name, "log"), "wb")
        self.process = subprocess.Popen([BINARY, "run", "--config", path], stdout=log, stderr=log)
        for _ in range(1200):
            try:
                return self.get("/-/ready") and None
            except OSError:
                time.sleep(0.05)
        raise SystemExit("the gate does not start")

    def get(self, path):
        return urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=10).read().decode()

    def post(self, body, **headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.write, timeout=60)
        headers = {"content-encoding": "snappy", **{name.replace("_", "-"): v for name, v in headers.items()}}
        connection.request("POST", "/api/v1/write", snappy(body), headers)
        status = connection.getresponse().status
        connection.close()
        return status

    def sum(self, metric, having=""):
        lines = (line for line in self.get("/metrics").splitlines() if line.startswith((metric + "{", metric + " ")))
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if having in line)

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat") as file:
            fields = file.read().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        self.process.terminate()
        self.process.wait()
        self.dir.cleanup()


def say(what, figure, bound, unit, before):
    good = figure <= bound
    print(f"{what:20}{figure:>10,.1f} {unit} (at most {bound:,.1f}; before: {before}){'' if good else '   WORSE'}", flush=True)
    if not good:
        failed.append(what)


def refused_for_ever():
    sink = Sink()
    gate = Gate("", sink.port)
    body = series(name="up", job="a") + series(job="without-a-name")
    requests = 1
    while gate.post(body, user_agent="Telegraf/1.30") == 400 and requests < 50:
        requests += 1
    say("refused for ever", requests, 3, "requests until it is let through", "for ever")
    gate.stop()


def self_loop():
    gate = Gate("")
    gate.post(series(name="up", job="a"))
    time.sleep(1)
    say("self-loop", gate.sum("seriesgate_requests_total"), 2, "requests of one", "9,994")
    gate.stop()


def junk_tenants():
    sink = Sink()
    gate = Gate("policies: [ { name: gone, match: gone, action: drop } ]\n", sink.port)
    for tenant in range(1000):
        gate.post(series(name="up", job="junk"), x_scope_orgid=f"junk-{tenant}")
    before = sink.requests
    for _ in range(100):
        gate.post(series(name="gone", job="a"), x_scope_orgid="victim")
    say("junk tenants", sink.requests - before, 0, "of 100 requests escape the policy that drops them", "100")
    gate.stop()


def byte_dribblers():
    gate = Gate("", Sink().port, ", max_in_flight: 64MiB")
    head = f"POST /api/v1/write HTTP/1.1\r\nhost: a\r\ncontent-encoding: snappy\r\ncontent-length: {1 << 20}\r\n\r\n"
    dribblers = [socket.create_connection(("127.0.0.1", gate.write)) for _ in range(64)]
    for dribbler in dribblers:
        dribbler.sendall(head.encode() + b"\0")
    time.sleep(1)
    refused = sum(gate.post(series(name="up", job="a")) != 204 for _ in range(20))
    say("byte dribblers", refused, 0, "of 20 requests of others refused", "all")
    for dribbler in dribblers:
        dribbler.close()
    gate.stop()


def thousand_policies():
    matcher = '{{__name__=~"kube_(pod|job)_{0}.+", pod=~"team{0}-.+-[0-9]{{8,10}}-[a-z0-9]{{5}}"}}'
    policies = "".join(
        f"  - {{ name: p{i}, match: '{matcher.format(i)}', action: drop }}\n" for i in range(1000)
    )
    gate = Gate(f"policies:\n{policies}", Sink().port)
    time.sleep(6)
    before, began = gate.cpu_seconds(), time.time()
    time.sleep(20)
    share = (gate.cpu_seconds() - before) / (time.time() - began)
    say("1,000 policies", share * 100, 1, "% of a core without traffic", "12.7%")
    gate.stop()


for scenario in (refused_for_ever, self_loop, junk_tenants, byte_dribblers, thousand_policies):
    scenario()
sys.exit(1 if failed else 0)
