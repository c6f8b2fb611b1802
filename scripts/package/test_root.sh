#!/usr/bin/env bash
# Installs the package in a Debian root of its own and lives with it: first install, a request, an upgrade that keeps state and
# config, removal, purge. Needs root and mmdebstrap; network and processes are its own and end with it.
#
#   scripts/package/test_root.sh DEB LOADTEST COMMIT      LOADTEST is the program seriesgate-loadtest
#
# COMMIT is what the program is to say that it was built from. Ends with 77 where no such root can be made here.
set -euo pipefail

if [[ ${1:-} != --inside ]]; then
    (($# == 3)) || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    unshare --net --mount --pid --fork --kill-child true || exit 77
    mmdebstrap --quiet --variant=minbase bookworm "$work/root" || exit 77
    cp "$1" "$work/root/first.deb"
    install -m 755 "$2" "$work/root/usr/local/bin/seriesgate-loadtest"
    unshare --net --mount --pid --fork --kill-child "$0" --inside "$work" "$3"
    exit
fi

work=$2
commit=$3
root=$work/root
ip link set lo up
mount -t proc proc "$root/proc"

inside() { chroot "$root" "$@"; }
. "$(dirname "$0")/expect.sh"

# The service as its unit starts it, but for the sandbox: its command, as nobody in particular.
pid=''
start() {
    local command
    command=$(sed -n 's/^ExecStart=//p' "$unit")
    mkdir -p "$data"
    chown 64000:64000 "$data"
    # shellcheck disable=SC2086 # words
    chroot --userspec=64000:64000 --groups= "$root" $command > "$work/log" 2>&1 &
    pid=$!
    until_true 10 inside seriesgate health --ready || fail 'the gate is ready within ten seconds'
}

stop() {
    kill -TERM "$pid"
    wait "$pid" || fail 'SIGTERM ends it with 0'
}

config=$root/etc/seriesgate/seriesgate.yaml
data=$root/var/lib/seriesgate
unit=$root/lib/systemd/system/seriesgate.service
doc=$root/usr/share/doc/seriesgate

echo 'the first installation'
inside dpkg --install /first.deb > "$work/dpkg" 2>&1 || { cat "$work/dpkg" >&2; fail 'dpkg --install'; }
expect 'says what to do next' contains 'systemctl enable --now seriesgate' "$work/dpkg"
refuse 'enables nothing' ls "$root"/etc/systemd/system/*/seriesgate.service
inside seriesgate --version > "$work/version"
expect 'says its commit' grep -E "^seriesgate [^ ]+ \($commit\)\$" "$work/version"
expect 'has a good config' inside seriesgate check --strict /etc/seriesgate/seriesgate.yaml
expect 'keeps secrets for root' test "$(stat -c %a:%U "$root/etc/default/seriesgate")" = 600:root
expect 'is as it was packed' inside dpkg --verify seriesgate
for file in usr/share/bash-completion/completions/seriesgate usr/share/man/man1/seriesgate-run.1.gz; do
    [[ -s $root/$file ]] && continue
    # a root for containers leaves documentation out
    contains 'path-exclude' <(cat "$root"/etc/dpkg/dpkg.cfg.d/* 2> /dev/null) > /dev/null || fail "$file is there"
done
expect 'has its licences' test -s "$doc/copyright"

echo 'a request'
inside /usr/local/bin/seriesgate-loadtest sink 127.0.0.1:8428 --keep-running > "$work/sink" 2>&1 &
start
expect 'arrives' inside /usr/local/bin/seriesgate-loadtest blast http://127.0.0.1:9201/api/v1/write \
    --series 10 --scrapes 1 --warm 0 --connections 1 --quiet
expect 'is counted' grep -E 'seriesgate_samples_total\{.*fate="forwarded".*\} 10$' \
    <(exec 3<> /dev/tcp/127.0.0.1/9202; printf 'GET /metrics HTTP/1.0\r\n\r\n' >&3; cat <&3)
stop

echo 'an upgrade'
# what an administrator does: a limit, whose state is kept in data_dir
sed -i 's/^policies: .*/policies: [ { name: few, action: limit, max_series: 100 } ]/' "$config"
cp "$config" "$work/edited"
start
expect 'a request before it' inside /usr/local/bin/seriesgate-loadtest blast http://127.0.0.1:9201/api/v1/write \
    --series 10 --scrapes 1 --warm 0 --connections 1 --quiet
stop
(cd "$data" && find . -type f -exec sha256sum {} + | sort) > "$work/state"
expect 'there is state' test -s "$work/state"
later 999.0-1 "$root/later.deb"
inside dpkg --force-confdef --force-confold --install /later.deb > "$work/dpkg" 2>&1 ||
    { cat "$work/dpkg" >&2; fail 'dpkg --install'; }
refuse 'does not speak as if it were the first' contains 'is installed and not started' "$work/dpkg"
expect 'keeps the edited config' cmp "$work/edited" "$config"
expect 'lays the new one beside it' contains 'a newer version says more' "$config.dpkg-dist"
(cd "$data" && find . -type f -exec sha256sum {} + | sort) > "$work/state.after"
expect 'keeps the state' cmp "$work/state" "$work/state.after"
start
expect 'goes on from the state' contains 'limits know whom they admitted before the restart' "$work/log"
stop

echo 'removal'
expect 'works' inside dpkg --remove seriesgate
refuse 'leaves no program' test -e "$root/usr/bin/seriesgate"
refuse 'leaves no unit' test -e "$unit"
expect 'leaves the config' cmp "$work/edited" "$config"
expect 'leaves the state' test -n "$(find "$data" -type f -size +0)"

echo 'purge'
mkdir -p "$root/var/lib/private/seriesgate"
expect 'works' inside dpkg --purge seriesgate
refuse 'leaves no config' test -e "$root/etc/seriesgate"
refuse 'leaves no environment' test -e "$root/etc/default/seriesgate"
refuse 'leaves no state' ls -d "$data" "$root/var/lib/private/seriesgate"
expect 'leaves no trace' test -z "$(find "$root" -xdev -name '*seriesgate*' -not -path "*/proc/*" \
    -not -name seriesgate-loadtest -not -path '*/var/log/*')"
