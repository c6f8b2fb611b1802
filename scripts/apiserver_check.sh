#!/usr/bin/env bash
# Asks a real API server whether it takes what the chart renders: builds kube-apiserver from its Go module, starts it and etcd on
# loopback, installs the definitions of the operators, and has `kubectl apply --dry-run=server` look at all manifests, all sets of
# values and all snippets. In a namespace that warns of whatever the Pod Security level `restricted` forbids; a warning of
# any kind is a mistake.
#
#   scripts/apiserver_check.sh
#
# It needs Go, Python 3, kubectl, etcd (Debian: etcd-server; or ETCD=PROGRAM) and, the first time, half an hour of a core and
# 4 GiB of memory: so it is not part of the tests. VM_DEFINITIONS: as for scripts/chart.sh.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

kubernetes=1.37.2
cache=${SERIESGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seriesgate}
etcd=${ETCD:-etcd}

fail() { echo "apiserver_check.sh: $*" >&2; exit 1; }
for program in go python3 kubectl curl openssl "$etcd"; do
    command -v "$program" > /dev/null 2>&1 || fail "$program is needed"
done

work=$(mktemp -d)
started=()
on_exit() {
    local code=$?
    for pid in "${started[@]}"; do kill "$pid" 2> /dev/null && wait "$pid" 2> /dev/null || true; done
    if ((code != 0)); then tail -n 20 "$work"/*.log 2> /dev/null || true; fi
    rm -rf "$work"
}
trap on_exit EXIT

# --- the server

server=$cache/kube-apiserver-$kubernetes
if [[ ! -x $server ]]; then
    echo "building kube-apiserver $kubernetes"
    mkdir -p "$work/build" "$cache"
    (
        cd "$work/build"
        go mod init check 2> /dev/null
        mod=$(go mod download -json "k8s.io/kubernetes@v$kubernetes" | sed -n 's/^\t"GoMod": "\(.*\)",*$/\1/p')
        go mod edit -require "k8s.io/kubernetes@v$kubernetes"
        # what lies beside it in its repository is published under versions of its own
        sed -n 's/^\t\(k8s.io\/[a-z-]*\) v0\.0\.0$/\1/p' "$mod" | sort -u | while read -r module; do
            go mod edit -replace "$module=$module@v0.${kubernetes#1.}"
        done
        version="k8s.io/component-base/version"
        nice -n 19 go build -mod=mod -trimpath -o "$work/kube-apiserver" \
            -ldflags "-s -w -X $version.gitVersion=v$kubernetes -X $version.gitMajor=1 -X $version.gitMinor=$(cut -d . -f 2 <<< "$kubernetes")" \
            k8s.io/kubernetes/cmd/kube-apiserver
    ) || fail 'go could not build it'
    mv "$work/kube-apiserver" "$server"
fi

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
until_ok() { # WHAT COMMAND...
    local what=$1
    shift
    for _ in $(seq 600); do
        if "$@" > /dev/null 2>&1; then return; fi
        sleep 0.2
    done
    fail "not within two minutes: $what"
}

client=$(free_port) peer=$(free_port) port=$(free_port)
"$etcd" --data-dir "$work/etcd" --listen-client-urls "http://127.0.0.1:$client" --advertise-client-urls "http://127.0.0.1:$client" \
    --listen-peer-urls "http://127.0.0.1:$peer" --initial-advertise-peer-urls "http://127.0.0.1:$peer" \
    --initial-cluster "default=http://127.0.0.1:$peer" --unsafe-no-fsync > "$work/etcd.log" 2>&1 &
started+=($!)
openssl genrsa -out "$work/accounts.key" 2048 2> /dev/null
token=$(openssl rand -hex 16)
echo "$token,admin,admin,system:masters" > "$work/tokens"
"$server" --etcd-servers "http://127.0.0.1:$client" --bind-address 127.0.0.1 --secure-port "$port" --cert-dir "$work/certs" \
    --service-account-issuer https://kubernetes.default.svc --service-account-key-file "$work/accounts.key" \
    --service-account-signing-key-file "$work/accounts.key" --service-cluster-ip-range 10.0.0.0/24 \
    --token-auth-file "$work/tokens" --authorization-mode RBAC --disable-admission-plugins ServiceAccount \
    > "$work/apiserver.log" 2>&1 &
started+=($!)
export KUBECONFIG=$work/kubeconfig
until_ok 'a certificate' test -s "$work/certs/apiserver.crt"
kubectl config set-cluster check --server "https://127.0.0.1:$port" --insecure-skip-tls-verify=true > /dev/null
kubectl config set-credentials check --token "$token" > /dev/null
kubectl config set-context check --cluster check --user check > /dev/null
kubectl config use-context check > /dev/null
until_ok 'the API server is ready' kubectl get --raw /readyz
kubectl version | sed -n 's/^Server/API server/p'

# --- what it is asked

scripts/chart.sh --keep "$work/kept"
while read -r definitions; do
    kubectl apply --server-side -f "$definitions" > "$work/definitions.log" 2>&1 || fail "$definitions is not taken"
done < "$work/kept/definitions"
kubectl wait --for condition=Established --timeout 120s customresourcedefinitions --all > /dev/null
kubectl create namespace monitoring > /dev/null
kubectl label namespace monitoring pod-security.kubernetes.io/warn=restricted > /dev/null

# VictoriaMetrics' definitions come by no registry: scripts/chart.sh says so, and takes them from VM_DEFINITIONS
only_unknown() { # SAID
    # every line but those that say so: a refusal has many forms
    [[ -z ${VM_DEFINITIONS:-} ]] &&
        ! grep -vE '\(server dry run\)$|no matches for kind "VM|^ensure CRDs are installed first$' <<< "$1" | grep -q .
}

asked=0
for file in deploy/manifests/*.yaml "$work"/kept/rendered/*.yaml "$work"/kept/hosts/*.yaml; do
    said=$(kubectl -n monitoring apply --dry-run=server -f "$file" 2>&1) || only_unknown "$said" ||
        fail "$(basename "$file") is not taken: $said"
    # an agent in a test of a snippet is none of ours
    if [[ $file != */hosts/* && $said == *Warning:* ]]; then fail "$(basename "$file"): $said"; fi
    asked=$((asked + $(grep -c 'server dry run' <<< "$said")))
done
# what has to be refused is
if kubectl -n monitoring apply --dry-run=server -f - > /dev/null 2>&1 <<< '{"apiVersion":"v1","kind":"Service","metadata":{"name":"a"},"spec":{"ports":[{"port":0}]}}'; then
    fail 'a Service with port 0 is taken: nothing was checked'
fi
echo "taken: $asked objects"
