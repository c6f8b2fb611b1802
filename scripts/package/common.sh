# What the packaging scripts share; it is read by them.

cargo_deb_version=3.8.0
cargo_cyclonedx_version=0.5.9
tools=${SERIESGATE_TOOLS:-$HOME/.cache/seriesgate/tools}

step() { # NAME COMMAND...
    local name=$1 start=$SECONDS
    shift
    echo "=== $name"
    "$@"
    echo "    $name: $((SECONDS - start)) s"
}

as_root() {
    if ((EUID == 0)); then "$@"; else sudo -n "$@"; fi
}

# Installs Debian's packages whose programs are not here.
need_debian() { # PROGRAM:PACKAGE...
    local each missing=()
    for each in "$@"; do
        command -v "${each%%:*}" > /dev/null || missing+=("${each#*:}")
    done
    ((${#missing[@]} > 0)) || return 0
    if ! command -v apt-get > /dev/null || { ((EUID != 0)) && ! sudo -n true 2> /dev/null; }; then
        echo "install these first: ${missing[*]}" >&2
        return 1
    fi
    echo "installing ${missing[*]}"
    as_root apt-get -qq update
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install -y --no-install-recommends -o Dpkg::Use-Pty=0 "${missing[@]}" > /dev/null
}

# Has rustup bring a target's standard library where it is not here.
need_target() { # TARGET
    [[ -d $(rustc --print sysroot)/lib/rustlib/$1/lib ]] || rustup -q target add "$1"
}

# Builds a tool of cargo in this version, once. It is hardly optimised: that takes longer than it saves.
need_tool() { # CRATE VERSION
    if [[ $("$tools/bin/$1" --version 2> /dev/null) == *"$2" ]]; then return 0; fi
    CARGO_PROFILE_DEV_OPT_LEVEL=1 CARGO_PROFILE_DEV_DEBUG=false step "building $1 $2" \
        cargo install --quiet --locked --debug --root "$tools" --target-dir "$tools/build" --version "$2" "$1"
    rm -rf "$tools/build"
}

cargo_tool() { # NAME ARGUMENTS...
    PATH=$tools/bin:$PATH cargo "$@"
}

# What a build says of itself, the same for a commit wherever it is built.
same_everywhere() {
    if [[ -z ${SERIESGATE_COMMIT:-} ]]; then
        SERIESGATE_COMMIT=$(git rev-parse --short=12 HEAD 2> /dev/null || echo unknown)
        # what is not committed is in no commit
        git diff --quiet HEAD 2> /dev/null || SERIESGATE_COMMIT+=-modified
    fi
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2> /dev/null || stat -c %Y Cargo.lock)}
    export SERIESGATE_COMMIT SOURCE_DATE_EPOCH
    export LC_ALL=C TZ=UTC
}

is_static() { # PROGRAM
    if readelf --wide --dynamic "$1" | grep -q NEEDED || readelf --wide --program-headers "$1" | grep -q INTERP; then
        echo "$1 is not static" >&2
        return 1
    fi
}
