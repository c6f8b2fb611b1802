#!/usr/bin/env bash
# Makes the image from a static program that is built already, without an engine: the last stage of deploy/image/Dockerfile, by
# Debian's buildah. Then looks at it and runs it.
#
#   scripts/image.sh PROGRAM OUT.oci.tar
#
# The same program and commit give the same archive. Needs root, and buildah, jq and iproute2, which are installed where that
# may be.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/package/common.sh

(($# == 2)) || { sed -n '2,8s/^# \{0,1\}//p' "$0" >&2; exit 2; }
program=$1
out=$(realpath -m "$2")
same_everywhere
is_static "$program"
need_debian buildah:buildah jq:jq ip:iproute2 chroot:coreutils

work=$(mktemp -d)
container=''
b() { buildah --storage-driver vfs --root "$work/store" --runroot "$work/run" "$@"; }
cleanup() {
    [[ -z $container ]] || b umount "$container" > /dev/null || true
    rm -rf "$work"
}
trap cleanup EXIT

# what the stage `build` of the Dockerfile leaves
lay_out() {
    local image=$work/context/image
    install -D -m 755 "$program" "$image/usr/bin/seriesgate"
    install -D -m 644 LICENSE "$image/usr/share/doc/seriesgate/LICENSE"
    install -d -m 755 "$image/etc/seriesgate"
    install -d -m 700 -o 65532 -g 65532 "$image/var/lib/seriesgate"
}

build() {
    local version
    version=$("$program" --version | cut -d ' ' -f 2)
    # the OCI format has no health check, and buildah says so
    b build --quiet --isolation chroot --format oci --timestamp "$SOURCE_DATE_EPOCH" \
        --build-context "build=$work/context" --label "org.opencontainers.image.version=$version" \
        --label "org.opencontainers.image.revision=$SERIESGATE_COMMIT" \
        --file deploy/image/Dockerfile --tag "seriesgate:$version" deploy/image > "$work/id" 2> "$work/log" ||
        { cat "$work/log" >&2; return 1; }
    b push --quiet "$(cat "$work/id")" "oci:$work/oci:seriesgate:$version"
    tar --create --directory "$work/oci" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner \
        --format=gnu . > "$out"
}

inspect() {
    local config
    config=$(b inspect --type image "$(cat "$work/id")" | jq -c .OCIv1.config)
    jq -e '.User == "65532:65532" and .Entrypoint == ["/usr/bin/seriesgate"]
        and .Cmd == ["run", "--config", "/etc/seriesgate/seriesgate.yaml"]
        and .Volumes == {"/var/lib/seriesgate": {}}' <<< "$config" > /dev/null || { echo "not as meant: $config" >&2; return 1; }
    container=$(b from --isolation chroot "$(cat "$work/id")")
    local root
    root=$(b mount "$container")
    # the program, its licence, and no shell
    (cd "$root" && find . -type f | sort) > "$work/files"
    diff "$work/files" - <<< $'./usr/bin/seriesgate\n./usr/share/doc/seriesgate/LICENSE'
    stat -c '%s bytes, archive' "$out"
}

# On a root that nothing can write to, as nobody, with no network but its own: the health check has to pass.
try() {
    local root
    root=$(b mount "$container")
    cp deploy/deb/seriesgate.yaml "$work/seriesgate.yaml"
    unshare --net --mount --pid --fork --kill-child scripts/package/try_image.sh "$root" "$work"
}

lay_out
step 'image' build
step 'what it is' inspect
step 'run on a read-only root' try
sha256sum "$out"
