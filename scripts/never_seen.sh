#!/usr/bin/env bash
# Sends nothing but new series through a gate, with each kind of policy, and fails where the gate ends, answers something
# else than 204 or 503, or takes more memory than it may.
#
#   scripts/never_seen.sh                          20 million series each, at most 256 MiB: an hour and 10 GB of traffic
#   SCRAPES=19 scripts/never_seen.sh drop relabel  2 million each, with these only
#
# Takes the programs of target/release; GATE and LOADTEST name others, LIMIT_MIB another limit. On a machine that is slow or busy:
# EVERY=10s from scrape to scrape, SERIES=30000 in each; requests that nobody answered in time count as a failure.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

gate=${GATE:-target/release/seriesgate}
loadtest=${LOADTEST:-target/release/seriesgate-loadtest}
limit=${LIMIT_MIB:-256}
scrapes=${SCRAPES:-199}
variants=("$@")
((${#variants[@]} > 0)) || variants=(forward pass drop preview relabel aggregate)

status=0
for variant in "${variants[@]}"; do
    result=$("$loadtest" run loadtest/scenarios/never-seen.yaml --variant "$variant" --gate "$gate" \
        --scrapes "$scrapes" --every "${EVERY:-2s}" --series "${SERIES:-100000}" --count bytes --json --quiet) || true
    python3 - "$variant" "$limit" "$result" <<'CHECK' || status=1
import json, sys
variant, limit, result = sys.argv[1], int(sys.argv[2]), sys.argv[3]
run = json.loads(result)
peak = run["cost"]["peak_rss_kib"] / 1024
answers = ", ".join(f"{count} x {code}" for code, count in sorted(run["codes"].items()))
well = run["broken"] == 0 and run["refused"] == 0 and set(run["codes"]) <= {"204", "503"} and peak <= limit
print(f"{variant:10} {run['series'] + run['born']:>11,} series, peak {peak:.0f} MiB of {limit}; {answers}; "
      f"{run['broken']} broken: {'ok' if well else 'FAILED'}")
sys.exit(not well)
CHECK
done
exit "$status"
