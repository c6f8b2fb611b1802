#!/bin/sh
# A remote-write request that is valid and only too large is answered 400 by VictoriaMetrics, the status by which the
# protocol tells a sender that its data is bad and to be dropped; no answer says 413.
#
# Seen: VictoriaMetrics 1.79.5 (Debian bookworm, 1.79.5+ds1-2+b5), 36,000 series in one request, 33.4 MiB decoded:
#   400 "too big packed request; mustn't exceed `-maxInsertRequestSize=33554432` bytes"
# Prometheus 2.42 (Debian bookworm, 2.42.0+ds-5+deb12u1) stores the same request: 204.
# So a proxy in front of both cannot know by the status alone whether to split a request or to give it up.
#
# Needs Debian bookworm's apt-get, dpkg-deb and python3; downloads two packages into a temporary folder and installs nothing.
# Ends with 0 if all is as said above, with 1 if something has changed.
set -eu

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
for package in victoria-metrics=1.79.5+ds1-2+b5 prometheus=2.42.0+ds-5+deb12u1; do
    apt-get -qq -o APT::Sandbox::User=root download "$package"
done
for archive in *.deb; do
    dpkg-deb -x "$archive" "$dir/root"
done

python3 - "$dir" <<'PY'
import socket, struct, subprocess, sys, time, urllib.error, urllib.request

root = sys.argv[1]


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number, content):
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def series(number, at):
    """One TimeSeries of prometheus.WriteRequest: three labels, one sample."""
    pairs = [(b"__name__", b"big_metric"), (b"i", b"%09d" % number), (b"pad", b"x" * 900)]
    labels = b"".join(field(1, field(1, name) + field(2, value)) for name, value in pairs)
    return field(1, labels + field(2, b"\x09" + struct.pack("<d", 1.0) + b"\x10" + varint(at)))


def snappy(plain):
    """The block format, literals only."""
    out = [varint(len(plain))]
    for start in range(0, len(plain), 65536):
        piece = plain[start : start + 65536]
        out.append(bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece)
    return b"".join(out)


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def answer(command, ready, write, body):
    port = free_port()
    log = open(f"{root}/log", "ab")
    server = subprocess.Popen([part.replace("PORT", str(port)) for part in command], stdout=log, stderr=log)
    base = f"http://127.0.0.1:{port}"
    try:
        for _ in range(150):
            try:
                urllib.request.urlopen(base + ready, timeout=1).read()
                break
            except OSError:
                time.sleep(0.2)
        headers = {
            "Content-Encoding": "snappy",
            "Content-Type": "application/x-protobuf",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }
        try:
            reply = urllib.request.urlopen(urllib.request.Request(base + write, data=body, headers=headers), timeout=120)
            return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
    finally:
        server.terminate()
        server.wait()


now = int(time.time() * 1000)
plain = b"".join(series(number, now) for number in range(36_000))
body = snappy(plain)
open(f"{root}/prometheus.yml", "w").write("{}\n")
victoria = answer(
    [f"{root}/root/usr/bin/victoria-metrics", f"-storageDataPath={root}/vm", "-httpListenAddr=127.0.0.1:PORT", "-influxListenAddr="],
    "/health",
    "/api/v1/write",
    body,
)
prometheus = answer(
    [
        f"{root}/root/usr/bin/prometheus",
        f"--config.file={root}/prometheus.yml",
        f"--storage.tsdb.path={root}/tsdb",
        "--web.listen-address=127.0.0.1:PORT",
        "--web.enable-remote-write-receiver",
    ],
    "/-/ready",
    "/api/v1/write",
    body,
)
print(f"{len(plain):,} bytes decoded")
print("VictoriaMetrics", victoria[0], victoria[1].strip())
print("Prometheus", prometheus[0], prometheus[1].strip())
same = victoria[0] == 400 and "too big packed request" in victoria[1] and prometheus[0] == 204
print("as described" if same else "CHANGED")
sys.exit(0 if same else 1)
PY
