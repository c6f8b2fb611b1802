#!/usr/bin/env bash
# Runs an image's program as a container engine would with --read-only; in namespaces of its own, which scripts/image.sh makes.
#
#   try_image.sh ROOT WORK      ROOT is where the image is mounted, WORK holds seriesgate.yaml
set -euo pipefail
root=$1 work=$2

ip link set lo up
mkdir "$work/data" "$work/lower"
chown 65532:65532 "$work/data"
mount --bind "$root" "$work/lower"
touch "$root/etc/seriesgate/seriesgate.yaml"
mkdir -p "$root/proc"
mount -o remount,bind,ro "$work/lower"
mount -t proc proc "$work/lower/proc"
mount --bind "$work/seriesgate.yaml" "$work/lower/etc/seriesgate/seriesgate.yaml"
mount --bind "$work/data" "$work/lower/var/lib/seriesgate"

gate() { chroot --userspec=65532:65532 --groups= "$work/lower" /usr/bin/seriesgate "$@"; }
gate --version
gate health > "$work/early" 2>&1 && { echo 'a gate that does not run is well' >&2; exit 1; }
gate run --config /etc/seriesgate/seriesgate.yaml > "$work/gate.log" 2>&1 &
pid=$!
for ((tries = 0; tries < 100; tries++)); do
    gate health > /dev/null 2>&1 && break
    sleep 0.1
done
gate health --ready || { cat "$work/gate.log" >&2; exit 1; }
chroot --userspec=65532:65532 --groups= "$work/lower" /bin/sh -c true 2> /dev/null &&
    { echo 'there is a shell' >&2; exit 1; }
kill -TERM "$pid"
wait "$pid"
# its keys and its lock are in the volume, and it could write there only
[[ -n $(ls -A "$work/data") ]]
