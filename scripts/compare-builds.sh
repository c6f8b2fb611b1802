#!/usr/bin/env bash
# What a sample costs in two builds of the gate, and in vmagent where it is there: closed loops in turns on this machine, so that what
# else it does meanwhile happens to all. Loopback only; it ends what it started, and nothing else.
#
#   scripts/compare-builds.sh REV            a commit, and the work tree: a million series, three rounds, half an hour
#   scripts/compare-builds.sh REV REV2       two commits
#   scripts/compare-builds.sh REV --series 100000 --rounds 1
#
#   --series N        series of 14 labels in a scrape (1000000)
#   --scrapes N       scrapes that count, after one that warms up (8)
#   --rounds N        turns; the median of them stands in the table (3)
#   --works LIST      of forward, forward-new, aggregate-new, labeldrop, drop, rate; with commas (all but rate)
#                     -new: 2% of the series new with each scrape; rate: 400,000 samples/s on a schedule, 2% new, 20 s at least
#   --vmagent PATH    vmagent, if not the one on PATH; `--vmagent none` leaves it out
#   --binary PATH     a gate that is built already, in place of a REV; may be given twice
#   --loadtest PATH   a seriesgate-loadtest that is built already; otherwise that of the work tree is built
#
# Builds are made with the profile `dist`, or `release` where a commit has none yet, and kept under ${TMPDIR:-/tmp}/seriesgate-builds. The work
# tree is built where cargo always builds it. CPU is user and system time of the whole process, from /proc; RSS what it holds at the end, and
# bytes a series what that is more than before the first, by all series that came.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

all_works=(forward forward-new aggregate-new labeldrop drop rate)
series=1000000 scrapes=8 rounds=3 vmagent=$(command -v vmagent || true) loadtest=''
works=(forward forward-new aggregate-new labeldrop drop)
given=() # binary:PATH or commit:REV, the one that is compared with first

usage() { sed -n '2,23s/^# \{0,1\}//p' "$0"; }
refuse() {
    echo "$1 (--help names the options)" >&2
    exit 2
}
number() { [[ $2 =~ ^[1-9][0-9]*$ ]] || refuse "$1 takes a number, not ${2@Q}"; }
while (($# > 0)); do
    case $1 in
        -h | --help) usage; exit 0 ;;
        --*) (($# > 1)) || refuse "$1 takes a value" ;;&
        --series) number "$1" "$2"; series=$2; shift ;;
        --scrapes) number "$1" "$2"; scrapes=$2; shift ;;
        --rounds) number "$1" "$2"; rounds=$2; shift ;;
        --works) IFS=, read -ra works <<< "$2"; shift ;;
        --vmagent) vmagent=${2/#none/}; shift ;;
        --binary) given+=("binary:$2"); shift ;;
        --loadtest) loadtest=$2; shift ;;
        -*) refuse "unknown argument: $1" ;;
        *) given+=("commit:$1") ;;
    esac
    shift
done
for work in "${works[@]}"; do
    [[ " ${all_works[*]} " == *" $work "* ]] || refuse "there is no work ${work@Q}"
done
((${#given[@]} == 1 || ${#given[@]} == 2)) || refuse 'name one commit or two (--binary PATH for one that is built)'
[[ -z $vmagent || -x $vmagent ]] || refuse "there is no program $vmagent"

say() { printf '%s\n' "$*" >&2; }

# --- builds

builds=${TMPDIR:-/tmp}/seriesgate-builds
folder=$(mktemp -d)

profile_of() { # FOLDER
    if grep -q '^\[profile\.dist\]' "$1/Cargo.toml"; then echo dist; else echo release; fi
}

build_revision() { # COMMIT: builds it unless that was done before
    local kept=$builds/$1 source=$builds/source-$1 profile
    [[ ! -x $kept/seriesgate ]] || return 0
    # not a work tree of git, which the repository would have to be told to forget
    mkdir -p "$source"
    git archive "$1" | tar -x -C "$source"
    profile=$(profile_of "$source")
    say "building ${1:0:12} ($profile)"
    (cd "$source" && CARGO_TARGET_DIR=$builds/target cargo build --quiet --locked --profile "$profile" --bin seriesgate)
    mkdir -p "$kept"
    cp "$builds/target/$profile/seriesgate" "$kept/seriesgate.new"
    mv "$kept/seriesgate.new" "$kept/seriesgate"
    rm -rf "$source"
}

build_here() { # PROGRAM...: builds them from the work tree, and sets $built to where they are
    local profile targets=() program
    for program in "$@"; do targets+=(--bin "$program"); done
    profile=$(profile_of .)
    say "building the work tree ($profile)"
    # --workspace: with the features that it has wherever docs build it
    built=$(cargo build --quiet --locked --profile "$profile" --workspace "${targets[@]}" --message-format json |
        sed -n 's/.*"executable":"\([^"]*\)".*/\1/p' | tail -n 1)
    built=$(dirname "$built")
}

names=() programs=()
for one in "${given[@]}"; do
    what=${one#*:}
    if [[ $one == binary:* ]]; then
        [[ -x $what ]] || refuse "there is no program $what"
        names+=("$(basename "$what") $((${#names[@]} + 1))")
        programs+=("$what")
    else
        commit=$(git rev-parse --verify --quiet "$what^{commit}") || refuse "there is no commit ${what@Q}"
        build_revision "$commit"
        names+=("$what")
        programs+=("$builds/$commit/seriesgate")
    fi
done
wanted=()
((${#given[@]} == 2)) || wanted+=(seriesgate)
[[ -n $loadtest ]] || wanted+=(seriesgate-loadtest)
((${#wanted[@]} == 0)) || build_here "${wanted[@]}"
if ((${#given[@]} == 1)); then
    names+=('work tree')
    programs+=("$built/seriesgate")
fi
[[ -n $loadtest ]] || loadtest=$built/seriesgate-loadtest
[[ -x $loadtest ]] || refuse "there is no program $loadtest"
if [[ -n $vmagent ]]; then
    names+=(vmagent)
    programs+=("$vmagent")
fi

# --- processes

end_started() { # children that run, and no number that may be another's by now
    local pids waited
    for ((waited = 0; waited < 300; waited++)); do
        mapfile -t pids < <(jobs -pr)
        ((${#pids[@]} > 0)) || return 0
        ((waited > 0)) || kill "${pids[@]}" 2> /dev/null || true
        sleep 0.1
    done
    kill -9 "${pids[@]}" 2> /dev/null || true
    wait
}
# shellcheck disable=SC2329 # the trap calls it
on_exit() {
    end_started
    rm -rf "$folder"
}
trap on_exit EXIT
trap 'exit 130' INT TERM

listens() { (: < "/dev/tcp/127.0.0.1/$1") 2> /dev/null; }

free_port() { # sets $port; below those that the kernel deals out itself
    while port=$((20000 + RANDOM % 12000)) && listens "$port"; do :; done
}

start() { # PORT COMMAND...: sets $pid
    local port=$1 log=$folder/log waited
    shift
    "$@" > "$log" 2>&1 &
    pid=$!
    for ((waited = 0; waited < 300; waited++)); do
        if listens "$port"; then return 0; fi
        if ! kill -0 "$pid" 2> /dev/null; then break; fi
        sleep 0.1
    done
    say "$1 does not listen on port $port:"
    tail -n 20 "$log" >&2
    return 1
}

# --- what the gate is told, and vmagent

third='container_(cpu|memory|fs_reads).+'
# nobody else says of them that they are gauges
gauges='container_memory_.+|kube_pod_status_phase'
without='[id, instance, node, pod, job_name]'

policies() { # WORK: what every build since 1fe1d66 understands
    case $1 in
        aggregate-new)
            echo "policies:"
            echo "  - { name: gauges, match: '{__name__=~\"$gauges\"}', action: aggregate, type: gauge, without: $without, interval: 60s }"
            echo "  - { name: counters, match: '{__name__=~\".+\"}', action: aggregate, type: counter, without: $without, interval: 60s }"
            ;;
        labeldrop) echo 'policies: [ { name: node, action: relabel, relabel_configs: [ { action: labeldrop, regex: node } ] } ]' ;;
        drop) echo "policies: [ { name: third, match: '{__name__=~\"$third\"}', action: drop } ]" ;;
    esac
}

vmagent_arguments() { # WORK: the same for vmagent; fails where it cannot do it. Sets $arguments
    arguments=()
    case $1 in
        aggregate-new)
            # since 1.86
            "$vmagent" -help 2>&1 | grep 'remoteWrite.streamAggr.config' > /dev/null || return 1
            cat > "$folder/aggregation.yaml" << RULES
- { match: '{__name__=~"$gauges"}', interval: 60s, without: $without, outputs: [sum_samples] }
- { match: '{__name__!~"$gauges"}', interval: 60s, without: $without, outputs: [total] }
RULES
            arguments=("-remoteWrite.streamAggr.config=$folder/aggregation.yaml")
            ;;
        labeldrop)
            echo '- { action: labeldrop, regex: node }' > "$folder/rules.yaml"
            arguments=("-remoteWrite.relabelConfig=$folder/rules.yaml")
            ;;
        drop)
            echo "- { action: drop, source_labels: [__name__], regex: '$third' }" > "$folder/rules.yaml"
            arguments=("-remoteWrite.relabelConfig=$folder/rules.yaml")
            ;;
    esac
}

# --- measuring: each prints CPU ns a sample, RSS in KiB before and after, and all series that came

field() { # NAME: a number out of a JSON object on one line
    sed -n "s/.*\"$1\":\([0-9.]*\).*/\1/p"
}

load() { # ARGUMENTS of seriesgate-loadtest: sets $report and $code. Not in the foreground: a signal would wait for it
    "$loadtest" "$@" > "$folder/report" &
    code=0
    wait "$!" || code=$?
    report=$(< "$folder/report")
}

measure_loop() { # NAME PROGRAM WORK
    local churn=0 sink report code before
    [[ $3 != *-new ]] || churn=0.02
    free_port
    sink=$port
    start "$sink" "$loadtest" sink "127.0.0.1:$sink" --count bytes --keep-running
    free_port
    if [[ $1 == vmagent ]]; then
        start "$port" "$2" "-httpListenAddr=127.0.0.1:$port" "-remoteWrite.url=http://127.0.0.1:$sink/api/v1/write" \
            "-remoteWrite.tmpDataPath=$folder/queue" -loggerLevel=ERROR "${arguments[@]}"
    else
        local listen=$port
        free_port
        {
            echo "listen: { address: '127.0.0.1:$listen' }"
            echo "admin: { address: '127.0.0.1:$port' }"
            echo "upstreams: [ { name: sink, url: 'http://127.0.0.1:$sink/api/v1/write' } ]"
            policies "$3"
        } > "$folder/gate.yaml"
        port=$listen
        start "$port" "$2" run --config "$folder/gate.yaml"
    fi
    before=$(sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$pid/status")
    load blast "http://127.0.0.1:$port/api/v1/write" --json --quiet --series "$series" --scrapes "$scrapes" --churn "$churn" --pid "$pid"
    if ((code != 0)); then
        say "not all samples were accepted by $1:" "$report"
        tail -n 20 "$folder/log" >&2
        return 1
    fi
    end_started
    rm -rf "$folder/queue"
    found="$(field cpu_ns_per_sample <<< "$report") $before $(field rss_mib <<< "$report" | awk '{ print $1 * 1024 }')"
    found+=" $(field distinct_series <<< "$report")"
}

measure_rate() { # NAME PROGRAM
    local report code held=$((20 * 400000 / series)) proxy=(--gate "$2") command=()
    ((held > scrapes)) || held=$scrapes
    if [[ $1 == vmagent ]]; then
        proxy=()
        command=(-- "$2" '-remoteWrite.url={upstream}' '-httpListenAddr={listen}' '-remoteWrite.tmpDataPath={dir}/queue'
            -loggerLevel=ERROR)
    fi
    load run gateway-1m --rate 400000 --series "$series" --scrapes "$held" --count bytes --json --quiet "${proxy[@]}" "${command[@]}"
    if ((code == 3)); then
        say "  the sender could not keep its schedule: what $1 cost says little"
    elif ((code != 0)); then
        say "not all samples were accepted by $1:" "$report"
        return 1
    fi
    found="$(field cpu_per_million <<< "$report" | awk '{ print $1 * 1000 }')"
    found+=" $(field empty_rss_kib <<< "$report") $(field end_rss_kib <<< "$report")"
    found+=" $(($(field series <<< "$report") + $(field born <<< "$report")))"
}

for ((round = 1; round <= rounds; round++)); do
    for work in "${works[@]}"; do
        for index in "${!programs[@]}"; do
            # forth and back, so that none is always the first after another work
            ((round % 2 == 1)) || index=$((${#programs[@]} - 1 - index))
            name=${names[index]} program=${programs[index]}
            if [[ $name == vmagent ]] && ! vmagent_arguments "$work"; then
                say "round $round  $work  vmagent: this one cannot do it"
                continue
            fi
            if [[ $work == rate ]]; then measure_rate "$name" "$program"; else measure_loop "$name" "$program" "$work"; fi
            read -r cpu before after came <<< "$found"
            awk -v round="$round" -v work="$work" -v name="$name" -v cpu="$cpu" -v after="$after" \
                'BEGIN { printf "round %d  %-14s %-14s %6.0f ns %6.0f MiB\n", round, work, name, cpu, after / 1024 }' >&2
            printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$work" "$index" "$cpu" "$before" "$after" "$came" >> "$folder/results"
        done
    done
done

# --- the table

echo
echo "$(date -u +%F), $(nproc) cores, $series series of 14 labels, $scrapes scrapes in a closed loop, in turns, medians of $rounds rounds;"
echo "the kernel counts CPU in steps of 10 ms, which are $((10000000 / (series * scrapes) + 1)) ns a sample here"
[[ -z $vmagent ]] || echo "vmagent: $vmagent"
echo
awk -F '\t' -v names="$(printf '%s\t' "${names[@]}")" '
    function median(list, values, n, i, j, swap) {
        n = split(list, values, " ")
        for (i = 2; i <= n; i++)
            for (j = i; j > 1 && values[j - 1] + 0 > values[j] + 0; j--) {
                swap = values[j]; values[j] = values[j - 1]; values[j - 1] = swap
            }
        return n == 0 ? "" : n % 2 ? values[(n + 1) / 2] : (values[n / 2] + values[n / 2 + 1]) / 2
    }
    function ratio(of, to) { return of == "" || to == "" || to + 0 == 0 ? "-" : sprintf("%.2f", of / to) }
    function shown(value) { return value == "" ? "-" : sprintf("%.0f", value) }
    function row(what, key, unit, old, new, other) {
        old = median(all[key, unit, 0]); new = median(all[key, unit, 1])
        printf "| %s | %s | %s | %s |", what, shown(old), shown(new), ratio(new, old)
        if (vmagent) { other = median(all[key, unit, 2]); printf " %s | %s |", shown(other), ratio(new, other) }
        printf "\n"
    }
    {
        if (!($1 in seen)) { seen[$1] = 1; order[++works] = $1 }
        all[$1, "cpu", $2] = all[$1, "cpu", $2] " " $3
        all[$1, "rss", $2] = all[$1, "rss", $2] " " $5 / 1024
        all[$1, "bytes", $2] = all[$1, "bytes", $2] " " ($5 - $4) * 1024 / $6
    }
    END {
        split(names, name, "\t")
        vmagent = name[3] != ""
        printf "| work | %s | %s | ratio |%s\n", name[1], name[2], vmagent ? " vmagent | of vmagent |" : ""
        printf "|---|---|---|---|%s\n", vmagent ? "---|---|" : ""
        for (i = 1; i <= works; i++) {
            row(order[i] ": CPU ns a sample", order[i], "cpu")
            row(order[i] ": RSS, MiB", order[i], "rss")
            row(order[i] ": RSS, bytes a series", order[i], "bytes")
        }
    }
' "$folder/results"
