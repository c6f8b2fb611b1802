#!/usr/bin/env bash
# Makes what is released: the Debian package, the static program in a tarball, what is in them (SBOM), and checksums.
#
#   scripts/package.sh OUTDIR            all of it
#   scripts/package.sh OUTDIR --deb      the Debian package only, checked by lintian, its unit by systemd-analyze
#   scripts/package.sh OUTDIR --dev      the Debian package of what `cargo build` made for the tests; nothing to give away
#   scripts/package.sh OUTDIR --test     also installs the package in a Debian root of its own, runs, upgrades and removes it
#   scripts/package.sh OUTDIR --verify   also builds all of it again from a copy at another path: each file must be equal
#
# The same commit gives the same files, byte for byte. Needs Debian's packages dpkg-dev, lintian, systemd, jq and, for all of
# it, musl-tools; for --test mmdebstrap, systemd-container, and root. They are installed where that may be; cargo-deb and cargo-cyclonedx are built
# once into SERIESGATE_TOOLS (~/.cache/seriesgate/tools).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD
. scripts/package/common.sh

usage() { sed -n '2,13s/^# \{0,1\}//p' "$0"; }
out='' parts=all test=no verify=no
for argument in "$@"; do
    case $argument in
        --deb) parts=deb ;;
        --dev) parts=dev ;;
        --test) test=yes ;;
        --verify) verify=yes ;;
        -h | --help) usage; exit 0 ;;
        -*) echo "unknown option: $argument" >&2; usage >&2; exit 2 ;;
        *) out=$argument ;;
    esac
done
[[ -n $out ]] || { usage >&2; exit 2; }
mkdir -p "$out"
out=$(cd "$out" && pwd)

machine=$(uname -m)
gnu=$machine-unknown-linux-gnu
musl=$machine-unknown-linux-musl
tested=${CARGO_TARGET_DIR:-target}/debug
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
maintainer=$(sed -n 's/^maintainer = "\(.*\)"/\1/p' Cargo.toml)

same_everywhere
# a program of the tests knows no commit; cargo, which is told of one, would build it anew
if [[ $parts == dev ]]; then
    expected=dev
    unset SERIESGATE_COMMIT
else
    expected=$SERIESGATE_COMMIT
fi

# Builds in the current directory for a target. Paths of this machine are not to be in the program.
build() { # TARGET
    local cargo_home=${CARGO_HOME:-$HOME/.cargo} maps=() flags=() c=()
    maps=("$cargo_home=/cargo" "$PWD=/seriesgate")
    local map
    for map in "${maps[@]}"; do
        flags+=("--remap-path-prefix=$map")
        c+=("-ffile-prefix-map=$map")
    done
    CARGO_ENCODED_RUSTFLAGS=$(IFS=$'\x1f'; echo "${flags[*]}") CFLAGS="${c[*]}" CARGO_TARGET_DIR=target \
        cargo build --quiet --locked --profile dist --target "$1" --bin seriesgate
}

# Manual pages, completions, changelog and licences, in target/package.
generate() { # PROGRAM TARGET
    local into=target/package
    rm -rf "$into"
    mkdir -p "$into/completions"
    "$1" man "$into/man"
    "$1" completions bash > "$into/completions/seriesgate.bash"
    "$1" completions zsh > "$into/completions/_seriesgate"
    "$1" completions fish > "$into/completions/seriesgate.fish"
    scripts/package/changelog.py "$version-1" "$maintainer" > "$into/changelog"
    scripts/package/licences.py seriesgate "$2" > "$into/third-party-licences.txt"
}

deb() { # OUT
    build "$gnu"
    generate "target/$gnu/dist/seriesgate" "$gnu"
    CARGO_TARGET_DIR=target cargo_tool deb --quiet --no-build --no-strip --profile dist --target "$gnu" --output "$1/"
}

deb_dev() { # OUT
    # what the tests have built; build scripts watch the date, and would run again for it
    env -u SOURCE_DATE_EPOCH cargo test --quiet --locked --workspace --no-run
    generate "$tested/seriesgate" "$gnu"
    cargo_tool deb --quiet --no-build --strip --fast --profile dev --output "$1/"
}

tarball() { # OUT
    local name=seriesgate-$version-$machine-linux
    local dir=target/package/$name
    build "$musl"
    generate "target/$musl/dist/seriesgate" "$musl"
    mkdir -p "$dir/examples"
    cp "target/$musl/dist/seriesgate" LICENSE README.md target/package/third-party-licences.txt "$dir/"
    cp -r target/package/man target/package/completions docs "$dir/"
    cp deploy/deb/seriesgate.yaml deploy/systemd/seriesgate.service "$dir/"
    cp config/*.yaml config/schema.json deploy/alerts.yaml "$dir/examples/"
    # the example of the package, without the directory that only the package's unit makes
    tar --create --directory target/package --sort=name --mtime="@$SOURCE_DATE_EPOCH" \
        --owner=0 --group=0 --numeric-owner --mode=u+rw,go+r,go-w --format=gnu "$name" | gzip -9n > "$1/$name.tar.gz"
}

sbom() { # OUT
    local target
    for target in "$gnu" "$musl"; do
        cargo_tool cyclonedx --quiet --format json --spec-version 1.5 --target "$target" --no-build-deps \
            --override-filename sbom
        # where the sources lay says nothing of what is in the program
        jq --sort-keys . sbom.json | sed "s|file://$PWD|file:///seriesgate|g" > "$1/seriesgate-$version-$target.cdx.json"
        find . -name sbom.json -not -path './target/*' -delete
    done
}

everything() { # OUT
    if [[ $parts == dev ]]; then deb_dev "$1"; else deb "$1"; fi
    if [[ $parts == all ]]; then
        tarball "$1"
        sbom "$1"
    fi
    (cd "$1" && sha256sum -- *.deb $([[ $parts != all ]] || echo '*.tar.gz *.cdx.json') > SHA256SUMS)
}

# --- checks of what was made

check_unit() {
    local unit=deploy/systemd/seriesgate.service said exposure
    # the program and its manual page are not installed here
    said=$(systemd-analyze verify --man=no "$unit" 2>&1 | grep -v 'seriesgate is not executable' || true)
    [[ -z $said ]] || { echo "$said" >&2; return 1; }
    exposure=$(systemd-analyze security --offline=true "$unit" | sed -n 's/.*exposure level for seriesgate.service: \([0-9.]*\).*/\1/p')
    echo "systemd-analyze security: $exposure"
    awk -v found="$exposure" 'BEGIN { exit !(found != "" && found < 2.0) }'
}

check_deb() { # DEB
    lintian --fail-on error,warning "$1"
}

need_debian dpkg-shlibdeps:dpkg-dev lintian:lintian systemd-analyze:systemd jq:jq file:file readelf:binutils
need_tool cargo-deb "$cargo_deb_version"
if [[ $parts == all ]]; then
    need_debian musl-gcc:musl-tools
    need_target "$musl"
    need_tool cargo-cyclonedx "$cargo_cyclonedx_version"
fi

step 'build' everything "$out"
step 'unit' check_unit
step 'lintian' check_deb "$out"/*.deb
[[ $parts != all ]] || step 'static' is_static "target/$musl/dist/seriesgate"
if [[ $test == yes ]]; then
    need_debian mmdebstrap:mmdebstrap ip:iproute2 systemd-nspawn:systemd-container
    loadtest=$tested/seriesgate-loadtest
    [[ $parts == dev ]] || cargo build --quiet --locked --package seriesgate-loadtest
    step 'install, run, upgrade, remove' as_root scripts/package/test_root.sh "$out"/*.deb "$loadtest" "$expected"
    step 'the service under systemd' as_root scripts/package/test_service.sh "$out"/*.deb "$loadtest"
fi

again() {
    local copy
    copy=$(mktemp -d)
    # shellcheck disable=SC2064 # now
    trap "rm -rf '$copy'" RETURN
    mkdir -p "$copy/elsewhere/sources" "$copy/out"
    git ls-files -z --cached --others --exclude-standard | tar --create --null --files-from=- \
        | tar --extract --directory "$copy/elsewhere/sources"
    (cd "$copy/elsewhere/sources" && everything "$copy/out")
    diff "$out/SHA256SUMS" "$copy/out/SHA256SUMS" && echo 'equal, byte for byte'
}
if [[ $verify == yes ]]; then step 'built again elsewhere' again; fi

cat "$out/SHA256SUMS"
ls -l "$out"
