#!/usr/bin/env bash
# Boots a Debian with systemd in a container of its own and lives with the service there: it is ready when it says so, reloads,
# refuses a bad config and goes on, is started anew when it hangs, is sandboxed, is upgraded, removed and purged.
# Needs root, mmdebstrap and systemd-container. Ends with 77 where no Debian boots in a container here.
#
#   scripts/package/test_service.sh DEB LOADTEST      LOADTEST is the program seriesgate-loadtest
set -euo pipefail
(($# == 2)) || { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
. "$(dirname "$0")/expect.sh"

work=$(mktemp -d)
root=$work/root
container=''
cleanup() {
    local code=$?
    # what the service said, where it did not do as expected
    ((code == 0)) || journal 2> /dev/null | tail -n 30 >&2 || true
    [[ -z $container ]] || { kill -TERM "$container"; wait "$container"; } 2> /dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

mmdebstrap --quiet --variant=minbase --include=systemd,dbus bookworm "$root" || exit 77
cp "$1" "$root/first.deb"
install -m 755 "$2" "$root/usr/local/bin/seriesgate-loadtest"
chroot "$root" dpkg --install /first.deb > "$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail 'dpkg --install'; }

# its boot is not ours to look at; a link to the host's network it does not get
systemd-nspawn --quiet --register=no --keep-unit --private-network --directory "$root" --boot > "$work/boot" 2>&1 &
container=$!
leader() { pgrep --parent "$container" | head -n 1; }
inside() { nsenter --target "$(leader)" --mount --uts --ipc --net --pid -- "$@"; }
booted() { inside systemctl is-system-running 2> /dev/null | grep -qE 'running|degraded'; }
until_true 60 booted || { cat "$work/boot" >&2; exit 77; }
said 'Debian has booted'

journal() { inside journalctl --no-pager --output cat --unit seriesgate; }
logged() { journal | grep -F -- "$1"; }
warned() { journal | grep -E '(WARN|ERROR)' | grep -v 'config not reloaded'; }
property() { inside systemctl show --property "$1" --value seriesgate; }
config=$root/etc/seriesgate/seriesgate.yaml
request() {
    inside /usr/local/bin/seriesgate-loadtest blast http://127.0.0.1:9201/api/v1/write \
        --series 10 --scrapes 1 --warm 0 --connections 1 --quiet
}

echo 'the service'
expect 'is not started by its installation' test "$(property ActiveState)" = inactive
inside systemd-run --quiet --unit sink /usr/local/bin/seriesgate-loadtest sink 127.0.0.1:8428 --keep-running
sed -i 's/^policies: .*/policies: [ { name: few, action: limit, max_series: 100 } ]/' "$config"
expect 'starts' inside systemctl enable --now seriesgate
# at once: it has said that it is ready
expect 'is ready when it says so' inside seriesgate health --ready
expect 'says where it listens' test "$(property StatusText)" = \
    'listening on 0.0.0.0:9201 for remote write, on 127.0.0.1:9202 for admin'
expect 'forwards' until_true 10 request
pid=$(property MainPID)
# the range of dynamic users
expect 'is a user of its own' test "$(inside stat -c %u "/proc/$pid")" -ge 61184
expect 'can gain nothing' test "$(inside sh -c "grep -E '^(CapBnd|NoNewPrivs|Seccomp):' /proc/$pid/status" | awk '{ printf "%s ", $2 }')" = \
    '0000000000000000 1 2 '
expect 'keeps its state for itself' test "$(stat -c %a "$root/var/lib/private/seriesgate")" = 700

echo 'a reload'
expect 'takes a good config' inside systemctl reload seriesgate
echo 'nonsense: 1' >> "$config"
refuse 'does not take a bad one' inside systemctl reload seriesgate
expect 'and says why' logged nonsense
sed -i '$d' "$config"
expect 'goes on all the while' test "$(property MainPID):$(property ActiveState)" = "$pid:active"
expect 'takes it when it is mended' inside systemctl reload seriesgate

echo 'an upgrade'
later 999.0-1 "$root/later.deb"
inside dpkg --force-confdef --force-confold --install /later.deb > "$work/dpkg" 2>&1 ||
    { cat "$work/dpkg" >&2; fail 'dpkg --install'; }
expect 'starts it anew' test "$(property MainPID)" != "$pid"
expect 'and it is ready' inside seriesgate health --ready
expect 'and goes on from its state' logged 'limits know whom they admitted before the restart'

echo 'a gate that hangs'
mkdir -p "$root/etc/systemd/system/seriesgate.service.d"
printf '[Service]\nWatchdogSec=2s\nTimeoutAbortSec=1s\n' > "$root/etc/systemd/system/seriesgate.service.d/soon.conf"
inside systemctl daemon-reload
inside systemctl restart seriesgate
sleep 5
expect 'is left alone while it lives' test "$(property NRestarts)" = 0
inside systemctl kill --signal STOP seriesgate
anew() { [[ $(property NRestarts) == 1 && $(property ActiveState) == active ]]; }
expect 'is started anew' until_true 30 anew
expect 'and is ready' inside seriesgate health --ready

echo 'the end'
expect 'is a drain' inside systemctl stop seriesgate
expect 'that ends well' test "$(property Result):$(property ExecMainStatus)" = success:0
refuse 'logs no warning' warned
rm -r "$root/etc/systemd/system/seriesgate.service.d"
inside systemctl start seriesgate
expect 'a removal stops it' inside dpkg --remove seriesgate
refuse 'nothing listens any more' inside /usr/local/bin/seriesgate-loadtest blast http://127.0.0.1:9201/api/v1/write \
    --series 1 --scrapes 1 --warm 0 --connections 1 --quiet
expect 'a purge works' inside dpkg --purge seriesgate
refuse 'and leaves no state' ls -d "$root/var/lib/private/seriesgate" "$root/var/lib/seriesgate"
