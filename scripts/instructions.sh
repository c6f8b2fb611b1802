#!/usr/bin/env bash
# Counts the instructions of the data path for each sample and for each new series (benches/instructions.rs, under valgrind's callgrind),
# and compares them with those of benches/instructions.txt. Ends with 1 where one is more than 2% above or below.
#
#   scripts/instructions.sh                                counts and compares: a minute on two cores, after the build
#   scripts/instructions.sh --update                       and writes benches/instructions.txt anew, for a commit that says why
#   scripts/instructions.sh 'forward 1.0' 'rewrite all'    only these works; all are: forward 1.0, forward 2.0, rewrite all,
#                                                          drop by regex, aggregate all
#
# Fewer instructions fail as well: a figure that is not brought down with them would hide the next loss.
#
# The build is that of the tests (target/debug), of which everything but two crates is there after `cargo test`. The gate itself and
# snap are compiled anew, as `dist` would but without LTO: optimised, without assertions, in one unit. In several units it is chance what is inlined across
# them: the same source differed by 3% from build to build.
#
# Figures hold for one compiler, C library, processor and valgrind; benches/instructions.txt names them. With others the table is
# printed and nothing is judged, as then a difference says nothing about the change: the script ends with 77. To compare there, count
# the commit before with --update, then the change.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

committed=benches/instructions.txt
tolerance=0.02

update=no
works=()
for argument in "$@"; do
    case $argument in
        --update) update=yes ;;
        -h | --help) sed -n '2,19s/^# \{0,1\}//p' "$0"; exit 0 ;;
        -*) echo "unknown argument: $argument (there is only --update)" >&2; exit 2 ;;
        *) works+=("$argument") ;;
    esac
done
if [[ $update == yes ]] && ((${#works[@]} > 0)); then
    echo '--update counts all works: name none' >&2
    exit 2
fi
if ! command -v valgrind > /dev/null; then
    echo 'there is no valgrind (Debian: apt-get install valgrind)' >&2
    exit 2
fi

# what is kept of an incremental build would be built once and never used again
export CARGO_INCREMENTAL=0
optimised=()
for package in seriesgate snap; do
    for setting in opt-level=3 codegen-units=1 debug=false debug-assertions=false overflow-checks=false; do
        optimised+=(--config "profile.dev.package.$package.$setting")
    done
done
echo 'building benches/instructions.rs'
program=$(cargo build --quiet --locked --workspace --bench instructions "${optimised[@]}" --message-format json |
    sed -n 's/.*"executable":"\([^"]*\/instructions-[^"]*\)".*/\1/p')

processor=$(uname -m)
if grep -qw avx2 /proc/cpuinfo; then processor+=' with AVX2'; fi
environment="$(rustc --version), $processor, $(getconf GNU_LIBC_VERSION), $(valgrind --version)"

((${#works[@]} > 0)) || mapfile -t works < <("$program")
folder=$(mktemp -d)
# where one fails the others are not waited for, nor for a last file of theirs
# shellcheck disable=SC2329 # the trap calls it
on_exit() {
    local left
    mapfile -t left < <(jobs -p)
    ((${#left[@]} == 0)) || kill -KILL -- "${left[@]/#/-}" 2> /dev/null || true
    wait
    rm -rf "$folder"
}
trap on_exit EXIT

count() { # NUMBER WORK: writes FIGURE <tab> INSTRUCTIONS <tab> UNITS for each call that counts
    local out=$folder/$1 call=0 figure sign units sum
    if ! valgrind --tool=callgrind --vgdb=no --toggle-collect=instructions::counted --dump-after=instructions::counted \
        --callgrind-out-file="$out" "$program" "$2" > "$out.calls" 2> "$out.log"; then
        cat "$out.log" >&2
        return 1
    fi
    while IFS=$'\t' read -r figure sign units; do
        call=$((call + 1))
        sum=$(sed -n 's/^totals: //p' "$out.$call")
        printf '%s\t%s%s\t%s\n' "$figure" "$sign" "$sum" "$units"
    done < "$out.calls" > "$out.counted"
}

echo "counting ${#works[@]} works"
cores=$(getconf _NPROCESSORS_ONLN)
running=0
set -m # each in a process group of its own, so that it can be ended with what it started
for number in "${!works[@]}"; do
    if ((running >= cores)); then
        wait -n
        running=$((running - 1))
    fi
    count "$number" "${works[number]}" &
    running=$((running + 1))
done
while ((running > 0)); do
    wait -n
    running=$((running - 1))
done

for number in "${!works[@]}"; do
    awk -F '\t' '
        $1 == "-" { next }
        !($1 in units) { order[++figures] = $1 }
        { sums[$1] += $2; units[$1] += $3 }
        END { for (n = 1; n <= figures; n++) printf "%s\t%.0f\n", order[n], sums[order[n]] / units[order[n]] }
    ' "$folder/$number.counted"
done > "$folder/figures"

status=0
echo
awk -F '\t' -v tolerance="$tolerance" '
    FILENAME == ARGV[1] { if (!/^#/) committed[$1] = $2; next }
    FNR == 1 { printf "%-24s %10s %10s %7s\n", "instructions", "committed", "now", "ratio" }
    !($1 in committed) { printf "%-24s %10s %10d %7s  new\n", $1, "-", $2, "-"; off = 1; next }
    {
        ratio = $2 / committed[$1]
        verdict = ratio > 1 + tolerance ? "  MORE" : ratio < 1 - tolerance ? "  LESS" : ""
        if (verdict != "") off = 1
        printf "%-24s %10d %10d %7.3f%s\n", $1, committed[$1], $2, ratio, verdict
    }
    END { exit off }
' "$committed" "$folder/figures" || status=$?

if [[ $update == yes ]]; then
    {
        echo '# Instructions of the data path, for a sample where all series are known and for a new series. Made by scripts/instructions.sh --update.'
        echo "# environment: $environment"
        cat "$folder/figures"
    } > "$committed"
    echo "written: $committed"
    exit 0
fi
counted_with=$(sed -n 's/^# environment: //p' "$committed")
if [[ $environment != "$counted_with" ]]; then
    printf '\n!!! nothing is judged: counted with  %s\n    the committed figures are of    %s\n' "$environment" "$counted_with" >&2
    exit 77
fi
if ((status != 0)); then
    printf '\nMore than 2%% off. If that is meant: scripts/instructions.sh --update, and commit %s with the reason.\n' "$committed" >&2
fi
exit "$status"
