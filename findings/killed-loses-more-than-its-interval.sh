#!/bin/sh
# VictoriaMetrics calls `-inmemoryDataFlushInterval` "the interval for guaranteed saving of in-memory data to disk", 5 s by default. Killed, it
# has lost samples that it had acknowledged well before that. A part in memory is due 5 s after it was made, which is up to 2 s after its
# rows came, and what is due is looked for every 5 s only (lib/storage/partition.go: `flushToDiskDeadline`, `flushInmemoryPartsToFiles`).
#
# Seen: VictoriaMetrics 1.151.0, one write a second, each answered 2xx, then SIGKILL: the oldest that is gone was acknowledged 6 to 10 s before, in
# five rounds of five; 13 s behind a vmagent. (1.79.5 of Debian bookworm, which has no such flag: 8 s.)
# So what a sender or a proxy may forget upon 2xx is not what the flag says.
#
# Needs Go 1.26 and python3; builds VictoriaMetrics from its public module (some minutes) in a temporary folder and installs nothing.
# Ends with 0 if all is as said above, with 1 if something has changed.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
GOTOOLCHAIN=local GOBIN="$dir" go install -p 2 github.com/VictoriaMetrics/VictoriaMetrics/app/victoria-metrics@v1.151.0

python3 - "$dir" <<'PY'
import json, socket, subprocess, sys, time, urllib.request

root = sys.argv[1]


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def start(data, port):
    log = open(f"{root}/log", "ab")
    server = subprocess.Popen(
        [f"{root}/victoria-metrics", f"-storageDataPath={data}", f"-httpListenAddr=127.0.0.1:{port}"], stdout=log, stderr=log
    )
    for _ in range(150):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1).read()
            break
        except OSError:
            time.sleep(0.2)
    return server


def lost(seconds):
    """How long before the kill the oldest sample was acknowledged that is gone."""
    data, port = f"{root}/data{seconds}", free_port()
    base = f"http://127.0.0.1:{port}"
    server = start(data, port)
    acknowledged = {}
    try:
        begun = time.time()
        while time.time() - begun < seconds:
            at = int(time.time() * 1000)
            body = "".join(f'probe{{i="{i}"}} 1 {at}\n' for i in range(300)).encode()
            urllib.request.urlopen(urllib.request.Request(f"{base}/api/v1/import/prometheus", data=body), timeout=10).read()
            acknowledged[at] = time.time()
            time.sleep(1)
    finally:
        killed = time.time()
        server.kill()
        server.wait()
    server = start(data, port)
    try:
        time.sleep(2)
        lines = urllib.request.urlopen(base + "/api/v1/export?match[]=probe%7Bi=%220%22%7D", timeout=10).read().splitlines()
    finally:
        server.terminate()
        server.wait()
    kept = {at for line in lines for at in json.loads(line)["timestamps"]}
    gone = [killed - then for at, then in acknowledged.items() if at not in kept]
    print(f"killed after {seconds} s: {len(acknowledged)} acknowledged, {len(gone)} gone, the oldest {max(gone, default=0):.1f} s before")
    return max(gone, default=0)


worst = max(lost(seconds) for seconds in (12, 18, 33))
same = worst > 7
print("as described" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
