#!/usr/bin/env bash
# Checks the Helm chart: lints it, renders every set of values in its ci/ for each version of Kubernetes below, checks what comes
# out against the schemas of Kubernetes and of the operators, compares the plain manifests that are committed, and sees
# that values that are wrong are refused.
#
#   scripts/chart.sh             all of that
#   scripts/chart.sh --update    write deploy/manifests and the chart's copy of the alerts anew, then all of that
#   scripts/chart.sh --tools     only get what it needs; fails where that cannot be had
#   scripts/chart.sh --keep DIR  all of that, and leave in DIR what was rendered, and where the operators' definitions are
#
# It needs Go and Python 3 and gets the rest by their package managers: helm (or the one in HELM), schemas, and the
# resource definitions of Prometheus Operator. They are kept in SERIESGATE_CACHE, ~/.cache/seriesgate by itself. Those of
# VictoriaMetrics Operator come by no package manager: name its config/crd/overlay/crd.yaml in VM_DEFINITIONS, else it is
# said that its kinds are not checked.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

chart=deploy/helm/seriesgate
helm_version=v3.22.0
operator=github.com/prometheus-operator/prometheus-operator@v0.85.0
python_packages=(kubernetes-validate==1.37.0 jsonschema==4.26.0 PyYAML==6.0.4)
# the oldest that the chart takes, the first with native sidecars, the first that sleeps before a stop, the newest with schemas
kubernetes=(1.26 1.29 1.30 1.37)
# what the manifests are rendered for
newest=${kubernetes[-1]}
manifests=(gateway aggregator sidecar arms-prom)
cache=${SERIESGATE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/seriesgate}

update=no
tools=no
keep=''
while (($# > 0)); do
    case $1 in
        --update) update=yes ;;
        --tools) tools=yes ;;
        --keep) keep=${2:?--keep needs a directory}; shift ;;
        -h | --help) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;;
        *) echo "unknown argument: $1 (there are --update, --tools and --keep DIR)" >&2; exit 2 ;;
    esac
    shift
done

fail() { echo "chart.sh: $*" >&2; exit 1; }
have() { command -v "$1" > /dev/null 2>&1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# --- what it needs

have go || fail 'Go is needed (https://go.dev/dl), to get the definitions of the operators, and helm where HELM names none'
have python3 || fail 'Python 3 is needed (Debian: python3 python3-venv)'
mkdir -p "$cache"

if [[ -z ${HELM:-} ]]; then
    HELM=$cache/helm-$helm_version/helm
    if [[ ! -x $HELM ]]; then
        echo "building helm $helm_version"
        # out of any module, and below another name until it is whole
        (cd "$work" && GOBIN=$work/bin GOFLAGS='-trimpath' go install "helm.sh/helm/v3/cmd/helm@$helm_version") ||
            fail "go could not build helm $helm_version; give one in HELM"
        mkdir -p "$(dirname "$HELM")"
        mv "$work/bin/helm" "$HELM"
    fi
fi
"$HELM" version --short > /dev/null || fail "HELM=$HELM does not run"

venv=$cache/chart-$(printf '%s ' "${python_packages[@]}" | sha256sum | cut -c 1-12)
if [[ ! -e $venv/complete ]]; then
    echo "installing ${python_packages[*]}"
    rm -rf "$venv"
    python3 -m venv "$venv" || fail 'python3 cannot make a venv (Debian: python3-venv)'
    "$venv/bin/pip" install --quiet --disable-pip-version-check "${python_packages[@]}" ||
        fail "pip could not install ${python_packages[*]}"
    touch "$venv/complete"
fi

dir=$(cd "$work" && go mod download -json "$operator" | sed -n 's/^\t"Dir": "\(.*\)",*$/\1/p')
[[ -d $dir ]] || fail "go could not download $operator"
definitions=("$dir/example/prometheus-operator-crd" ${VM_DEFINITIONS:+"$VM_DEFINITIONS"})

[[ $tools == no ]] || exit 0

# --- rendering

render() { # VALUES-FILE KUBERNETES-VERSION [MORE...]
    local values=$1 version=$2
    shift 2
    "$HELM" template "${release:-seriesgate}" "$chart" --namespace monitoring --kube-version "$version" -f "$values" "$@"
}

# Whoever applies several in one namespace has objects of several names.
release() { # NAME
    if [[ $1 == gateway ]]; then echo seriesgate; else echo "seriesgate-$1"; fi
}

manifest() { # NAME
    printf '# Made by scripts/chart.sh --update from %s and %s; do not edit.\n' "$chart" "ci/$1-values.yaml"
    printf '# kubectl -n NAMESPACE apply -f deploy/manifests/%s.yaml\n' "$1"
    release=$(release "$1") render "$chart/ci/$1-values.yaml" "$newest"
}

if [[ $update == yes ]]; then
    cp deploy/alerts.yaml "$chart/files/alerts.yaml"
    mkdir -p deploy/manifests
    for name in "${manifests[@]}"; do
        manifest "$name" > "$work/manifest"
        cp "$work/manifest" "deploy/manifests/$name.yaml"
    done
fi

# --- the checks

cmp -s deploy/alerts.yaml "$chart/files/alerts.yaml" || fail "$chart/files/alerts.yaml is not deploy/alerts.yaml; run scripts/chart.sh --update"
for name in "${manifests[@]}"; do
    manifest "$name" > "$work/manifest"
    diff -u "deploy/manifests/$name.yaml" "$work/manifest" ||
        fail "deploy/manifests/$name.yaml is not what the chart renders; run scripts/chart.sh --update"
done
echo "manifests: ${#manifests[@]} are what the chart renders"

sets=0
for values in "$chart"/ci/*-values.yaml; do
    "$HELM" lint --quiet --strict --kube-version "$newest" "$chart" -f "$values" || fail "helm lint: $values"
    for version in "${kubernetes[@]}"; do
        [[ $values != *native* || $version != "${kubernetes[0]}" ]] || continue
        out=$work/rendered/$version/$(basename "$values" -values.yaml).yaml
        mkdir -p "$(dirname "$out")"
        render "$values" "$version" > "$out"
    done
    sets=$((sets + 1))
done
# what `seriesgate-loadtest plan --values` prints
planned=loadtest/tests/data/planned.yaml
for mode in gateway aggregator; do
    render "$chart/ci/$mode-values.yaml" "$newest" -f "$planned" > "$work/rendered/$newest/planned-$mode.yaml"
done
echo "values: $sets sets linted, and rendered for Kubernetes ${kubernetes[*]}"

"$venv/bin/python" scripts/chart_schemas.py "${definitions[@]/#/--definitions=}" --hosts "$work/hosts" "$work/rendered"
if [[ -n $keep ]]; then
    mkdir -p "$keep"
    printf '%s\n' "${definitions[@]}" > "$keep/definitions"
    cp -r "$work/rendered/$newest" "$keep/rendered"
    cp -r "$work/hosts/$newest" "$keep/hosts"
fi

holds() { # NAME TIMES TEXT
    local found
    found=$(grep -cF -- "$3" "$work/rendered/$newest/$1.yaml") || true
    [[ $found == "$2" ]] || fail "ci/$1-values.yaml makes '$3' $found times, and not $2"
}
# both ports, and of a sidecar the admin port
holds gateway 2 "address: '[::]:92"
holds sidecar 1 "address: '[::]:9202'"
holds everything 2 'address: 0.0.0.0:900'
# each snippet brings what pulls the image
holds sidecar-native 3 'imagePullSecrets:'
holds sidecar-native 3 '- name: registry'

# --- what has to be taken, and looks wrong

accepted() { # ARGUMENTS...
    render "$chart/ci/gateway-values.yaml" "$newest" "$@" > /dev/null || fail "refused, and should not be: $*"
    accepts=$((accepts + 1))
}
accepts=0
# what is asked for may be all that is allowed, in whatever spelling
for memory in 512Mi 536870912 0.5Gi 524288Ki 5e8 536870912000m; do
    accepted --set "resources.requests.memory=$memory"
done
accepted --set-string image.tag=$(printf '0123456789abcdef%.0s' 1 2 3 4)
accepted --set-string image.tag=_x-
accepted --set resources.requests.cpu=0.25 --set resources.limits.cpu=250m
# Kubernetes takes the limit for the request
accepted --set-json resources.requests.cpu=null --set resources.limits.cpu=1
accepted --set-json resources.requests.cpu=null --set autoscaling.enabled=false
accepted --set-json resources=null --set autoscaling.enabled=false
# a queue that has room
for size in 5Gi 5G 5e9; do
    accepted --set mode=aggregator --set autoscaling.enabled=false --set 'config.upstreams[0].delivery=queue' --set "persistence.size=$size"
done
accepted --set mode=aggregator --set autoscaling.enabled=false --set 'config.upstreams[0].delivery=queue' --set 'config.upstreams[0].queue.max_size=500MB' \
    --set 'config.upstreams[0].queue.dead_letters=100KB'
accepted --set-json config=null --set existingSecret=a
accepted --set 'podLabels.app=gate' --set 'env[0].name=SERIESGATE_LOG'
release=9gate accepted --set fullnameOverride=gate
release=123 accepted --set-string fullnameOverride=true --set-string nameOverride=on
# all that Kubernetes takes for a quantity
accepted --set-string resources.limits.memory=1Ei
accepted --set-string resources.requests.cpu=+1 --set-string resources.limits.cpu=.5e1
accepted --set-string 'resources.requests.hugepages-2Mi=2Mi' --set-string 'resources.limits.hugepages-2Mi=2048Ki'
accepted --set 'resources.limits.example\.com/card=1'
for size in 1Ei +1Gi 1.5Gi 1e9 10.; do
    accepted --set mode=aggregator --set-string "persistence.size=$size"
    accepted --set autoscaling.inFlightBytes.enabled=true --set-string "autoscaling.inFlightBytes.averageValue=$size"
done
accepted --set-json autoscaling.cpuUtilization=null --set autoscaling.inFlightBytes.enabled=true --set-json resources=null
for repository in gate localhost:5000/gate registry.example.com:5000/a/b_c/d--e '[fd00::1]:5000/gate' a/b.c/d__e; do
    accepted --set "image.repository=$repository"
done
for level in off WARN debug, 'info\,seriesgate::egress=debug' seriesgate hyper=info 'info\, seriesgate=trace' 'seriesgate[request{tenant=a}]=debug'; do
    accepted --set "logLevel=$level"
done
accepted --set nameOverride=a.b --set fullnameOverride=gate
accepted --set mode=sidecar --set nameOverride=a.b
accepted --set-json 'podLabels={"example.com/Team_1":"","a":"A.b_c-1"}' --set-json 'podAnnotations={"Example.com/a":"any text: at all"}'
accepted --set-json 'volumes=[{"name":"data","emptyDir":{}}]' --set-json 'volumeMounts=[{"name":"data","mountPath":"/data"}]'
# the pod of a sidecar has volumes that the chart does not know
accepted --set mode=sidecar --set-json 'volumeMounts=[{"name":"token","mountPath":"/token"}]'
accepted --set-json 'env=[{"name":"A","value":"8080"},{"name":"B","valueFrom":{"fieldRef":{"fieldPath":"status.podIP"}}}]'
# sections of the config with nothing in them are as good as absent
for mode in gateway aggregator; do
    accepted --set "mode=$mode" --set-json 'config.listen=null,config.admin=null,config.series=null,config.aggregation=null'
done
accepted --set-json 'config.policies=[{"name":"1","action":"relabel","relabel_configs":[{"regex":"true","replacement":"200"}]}]'
echo "accepted: $accepts values that only look wrong"

# --- names that YAML could read as something else

# each object has the name that was given, and is what it was: one that is no text has no quotes in a list of JSON
numbered() { # MODE ARGUMENTS...
    local mode=$1
    shift
    release=123 render "$chart/ci/$mode-values.yaml" "$newest" "$@" > "$work/numbered"
    "$venv/bin/python" - "$work/numbered" << 'PYTHON'
import sys, yaml

KEYS = {"name", "secretName", "serviceName", "storageClassName", "storage", "serviceAccountName", "priorityClassName"}


def look(node, path):
    if isinstance(node, dict):
        for key, value in node.items():
            is_label = path.endswith(("labels", "matchLabels"))
            if (key in KEYS or is_label) and not isinstance(value, (str, dict, list)):
                sys.exit(f"{path}.{key} is {value!r}, and no text")
            look(value, f"{path}.{key}")
    elif isinstance(node, list):
        for item in node:
            look(item, path)
    elif isinstance(node, str) and path.endswith(".yaml"):
        look(yaml.safe_load(node), path)


for document in yaml.safe_load_all(open(sys.argv[1])):
    look(document, (document or {}).get("kind", ""))
PYTHON
}
odd=(--set-string fullnameOverride=true --set-string nameOverride=123 --set-string serviceAccount.name=1e3 --set-string persistence.storageClassName=1
    --set-string persistence.size=10 --set-string priorityClassName=no --set-json config=null --set-string existingSecret=123
    --set monitoring.podMonitor.enabled=true --set monitoring.serviceMonitor.enabled=true --set monitoring.vmPodScrape.enabled=true
    --set monitoring.prometheusRule.enabled=true --set monitoring.dashboards.enabled=true)
for mode in gateway aggregator; do
    numbered "$mode" "${odd[@]}" || fail "a name that looks like a number is none in mode $mode"
done
numbered sidecar --set-string fullnameOverride=true --set-string nameOverride=123 --set-json config=null --set-string existingSecret=123 ||
    fail 'a name that looks like a number is none in mode sidecar'
echo 'names: those that look like numbers and booleans are texts'

# --- null, which takes a default away

# Helm takes it away before the schema is asked, so each default that is needed is said to be missing; without another the chart works.
"$venv/bin/python" - "$chart" > "$work/nulls" << 'PYTHON'
import json, sys, yaml

values = yaml.safe_load(open(f"{sys.argv[1]}/values.yaml"))
schema = json.load(open(f"{sys.argv[1]}/values.schema.json"))


def look(values, schema, path):
    for key, value in values.items():
        print("needed" if key in schema.get("required", []) else "free", *path, key)
        inner = schema.get("properties", {}).get(key, {})
        if isinstance(value, dict) and "properties" in inner and key != "config":
            look(value, inner, [*path, key])


look(values, schema, [])
PYTHON
nulls=0
echo 'autoscaling: { inFlightBytes: { enabled: true } }' > "$work/bytes.yaml"
while read -r kind path; do
    read -ra keys <<< "$path"
    null='null'
    for ((at = ${#keys[@]} - 1; at >= 0; at--)); do null="{\"${keys[at]}\":$null}"; done
    echo "$null" > "$work/null.yaml"
    for mode in gateway aggregator sidecar; do
        said=$(render "$chart/ci/$mode-values.yaml" "$newest" -f "$work/bytes.yaml" -f "$work/null.yaml" 2>&1) && ok=yes || ok=no
        case $kind-$ok in
            needed-no) [[ $said == *"missing property '${keys[-1]}'"* ]] || fail "$path is null: refused, but not as missing: $said" ;;
            needed-yes) fail "$path is null: accepted, and is needed" ;;
            free-yes) ! grep -nE '<nil>|: *null$|^ *null$' <<< "$said" || fail "$path is null: rendered as nothing in mode $mode" ;;
            free-no) [[ $said == *'execution error at'*': set '* || $said == *'config.upstreams is needed'* ]] || fail "$path is null: $said" ;;
        esac
        nulls=$((nulls + 1))
    done
done < "$work/nulls"
echo "nulls: $nulls values are null, and are refused as missing or not missed"

# --- what has to be refused, and by which words

refused() { # WORDS ARGUMENTS...
    local words=$1 said
    shift
    if said=$(render "$base" "$newest" "$@" 2>&1 > /dev/null); then
        fail "accepted, and should not be: $*"
    fi
    [[ $said == *"$words"* ]] || fail "refused, but not by '$words': $*"$'\n'"$said"
    refusals=$((refusals + 1))
}
refusals=0
base=/dev/null
refused 'config.upstreams is needed' --set mode=gateway
refused 'sidecar.native needs' --set mode=sidecar --set existingSecret=a --set sidecar.native=true --kube-version 1.28
refused 'incompatible with Kubernetes v1.25' --set existingSecret=a --kube-version 1.25
refused 'needs sidecar.podLabels' --set mode=sidecar --set existingSecret=a --set monitoring.podMonitor.enabled=true
refused 'use monitoring.podMonitor' --set mode=sidecar --set existingSecret=a --set monitoring.serviceMonitor.enabled=true
base=$chart/ci/gateway-values.yaml
refused "additional properties 'replica' not allowed" --set replica=3
refused "additional properties 'enable' not allowed" --set networkPolicy.enable=false
refused 'value must be one of' --set mode=daemonset
refused '/replicas' --set replicas=two
refused '/ports/admin' --set ports.admin=80
refused '/image/digest' --set image.digest=latest
refused '/persistence/size' --set persistence.size=10GiB
refused '/monitoring/podMonitor/interval' --set monitoring.podMonitor.interval=30
refused "additional properties 'policy' not allowed" --set config.policy=x
refused '/config/policies/0/action' --set 'config.policies[0].name=a' --set 'config.policies[0].action=drops'
refused '/config/upstreams' --set-json 'config.upstreams=[]'
refused 'are the same: give them different ones' --set ports.write=9202
refused 'which has a tag in it: give that as image.tag' --set image.repository=registry.example.com:5000/gate:1.0
refused 'which has a digest in it: give that as image.digest' --set image.repository=gate@sha256:aa
refused 'no capitals' --set image.repository=Registry.example.com/Platform/gate
for repository in /gate gate/ a//b -gate https://registry.example.com/gate 'a b'; do
    refused 'no image has such a name' --set "image.repository=$repository"
done
refused '/image/tag' --set image.tag=v1@sha256:aa
refused '/fullnameOverride' --set fullnameOverride=a.b
refused 'set aggregation.instanceLabel' --set mode=sidecar --set config.aggregation.instance_label=gate
refused 'set ports.write' --set config.listen.address=0.0.0.0:1
refused 'set ports.admin' --set config.admin.address=0.0.0.0:1
refused 'set drainSeconds' --set config.listen.drain_timeout=1m
refused 'mode: aggregator' --set config.data_dir=/data
refused 'which keeps requests on disk' --set 'config.upstreams[0].delivery=queue'
refused 'which keeps requests on disk' --set 'config.upstreams[0].delivery=queue' --set mode=sidecar
# its queue would have more than its volume
refused 'volumes have 1Gi' --set mode=aggregator --set 'config.upstreams[0].delivery=queue'
refused 'volumes have 4Gi' --set mode=aggregator --set 'config.upstreams[0].delivery=queue' --set persistence.size=4Gi
refused 'use mode: aggregator' --set 'config.policies[0].name=a' --set 'config.policies[0].action=aggregate' --set 'config.policies[0].without={pod}'
refused 'set aggregation.instanceLabel' --set mode=aggregator --set config.aggregation.instance_label=gate
refused 'the same for all gates' --set mode=aggregator --set config.aggregation.instance=a
refused 'above autoscaling.maxReplicas' --set autoscaling.minReplicas=9
refused 'take out config' --set existingSecret=a
refused 'kubectl rollout restart' --set existingSecret=a --set-json config=null --set restartOnConfigChange=true
refused '/listenAddress' --set listenAddress=localhost
refused 'config.admin.address is made by the chart' --set config.admin.address=0.0.0.0:1
refused 'shuts out the kubelet' --set config.admin.tls.client_ca_file=a
refused 'logLevel sets' --set logLevel=debug --set 'env[0].name=SERIESGATE_LOG'
refused 'logLevel sets' --set logLevel=debug --set 'env[0].name=SERIESGATE_LOG_LEVEL'
refused 'podLabels has the label app.kubernetes.io/name' --set 'podLabels.app\.kubernetes\.io/name=a'
refused 'podLabels has the label app.kubernetes.io/instance' --set 'podLabels.app\.kubernetes\.io/instance=seriesgate'
refused 'podLabels has the label helm.sh/chart' --set 'podLabels.helm\.sh/chart=a'
refused 'monitoring.podMonitor.labels has the label' --set 'monitoring.podMonitor.labels.app\.kubernetes\.io/component=a'
refused 'podAnnotations has seriesgate/config' --set 'podAnnotations.seriesgate/config=a'
refused 'set resources.requests.cpu' --set-json resources.requests.cpu=null
refused 'set resources.requests.cpu' --set-string resources.requests.cpu=0m
refused 'resources.requests.memory (1Gi) is above resources.limits.memory (512Mi)' --set resources.requests.memory=1Gi
refused 'resources.requests.memory (536871k) is above' --set resources.requests.memory=536871k
refused 'resources.requests.cpu (1.5) is above resources.limits.cpu (1499m)' --set resources.requests.cpu=1.5 --set resources.limits.cpu=1499m
refused 'is no quantity' --set resources.limits.memory=512MB
refused 'is above resources.limits.memory' --set mode=sidecar --set resources.requests.memory=1Gi
release=9gate refused 'Service of the name 9gate-seriesgate' --set replicas=2
release=a.b refused "made of the release's" --set mode=aggregator --set replicas=2
release=a.b refused "made of the release's" --set nameOverride=c.d
refused 'seriesgate-a.b, which ends with nameOverride (a.b)' --set nameOverride=a.b
refused 'logLevel has "warning", which is no level: off, error, warn' --set logLevel=warning
refused 'logLevel has "verbose"' --set 'logLevel=info\,verbose'
refused 'logLevel has "loud"' --set logLevel=seriesgate=loud
refused "/env/0/value': got number" --set-json 'env=[{"name":"A","value":8080}]'
refused "/env/0/value': got boolean" --set-json 'env=[{"name":"A","value":true}]'
refused "/env/0': missing property 'name'" --set-json 'env=[{"value":"a"}]'
refused '/env/0/name' --set-json 'env=[{"name":"A B","value":"a"}]'
refused "'valuefrom' not allowed" --set-json 'env=[{"name":"A","valuefrom":{}}]'
refused "/envFrom/0': 'oneOf' failed" --set-json 'envFrom=[{"prefix":"a"}]'
refused "/imagePullSecrets/0': got string" --set-json 'imagePullSecrets=["registry"]'
refused '/podLabels/a' --set-json 'podLabels={"a":"b c"}'
refused '/podLabels/a' --set-json 'podLabels={"a":"'"$(printf 'a%.0s' {1..64})"'"}'
refused "/podLabels': additional properties 'a b' not allowed" --set-json 'podLabels={"a b":"c"}'
refused "/podLabels/a': got boolean" --set podLabels.a=true
refused '/monitoring/podMonitor/labels' --set-json 'monitoring.podMonitor.labels={"A/b":"c"}'
refused '/monitoring/dashboards/labels' --set-json 'monitoring.dashboards.labels={"a":"-"}'
refused '/podAnnotations' --set-json 'podAnnotations={"a b":"c"}'
refused '/nodeSelector/a' --set-json 'nodeSelector={"a":"b/c"}'
refused '/priorityClassName' --set priorityClassName=High_One
refused '/persistence/storageClassName' --set persistence.storageClassName=a_b
refused '/existingSecret' --set existingSecret=a..b
refused '/networkPolicy/scraperNamespaces/0' --set 'networkPolicy.scraperNamespaces={a.b}'
refused "/tolerations/0/value': got boolean" --set-json 'tolerations=[{"key":"a","value":true}]'
refused 'is a volume of the chart' --set-json 'volumes=[{"name":"seriesgate-config","emptyDir":{}}]'
refused 'is a volume of the chart' --set mode=aggregator --set-json 'volumes=[{"name":"data","emptyDir":{}}]'
refused 'volumes has a twice' --set-json 'volumes=[{"name":"a","emptyDir":{}},{"name":"a","emptyDir":{}}]'
refused 'is mounted at /etc/seriesgate already' --set-json 'volumeMounts=[{"name":"seriesgate-config","mountPath":"/config"}]'
refused 'where the chart mounts a volume of its own' --set-json 'volumes=[{"name":"a","emptyDir":{}}]' --set-json 'volumeMounts=[{"name":"a","mountPath":"/etc/seriesgate/"}]'
refused 'volumeMounts has /a twice' --set-json 'volumes=[{"name":"a","emptyDir":{}}]' --set-json 'volumeMounts=[{"name":"a","mountPath":"/a"},{"name":"a","mountPath":"/a/"}]'
refused 'volumeMounts has a, and volumes has not' --set-json 'volumeMounts=[{"name":"a","mountPath":"/a"}]'
refused "/volumeMounts/0': missing property 'mountPath'" --set-json 'volumeMounts=[{"name":"a"}]'
refused "/resources/requests': additional properties 'mem' not allowed" --set resources.requests.mem=1Gi
refused "/resources': additional properties 'request' not allowed" --set resources.request.memory=1Gi
refused 'resources.limits.hugepages-2Mi (4Mi), and Kubernetes lends none' --set-string 'resources.requests.hugepages-2Mi=2Mi' --set-string 'resources.limits.hugepages-2Mi=4Mi'
refused 'resources.requests.hugepages-2Mi (2Mi) has no limit' --set-string 'resources.requests.hugepages-2Mi=2Mi'
refused 'resources.requests.example.com/card (1) has no limit' --set 'resources.requests.example\.com/card=1'
refused 'is no quantity' --set resources.limits.cpu=two
refused 'is no quantity' --set resources.limits.cpu=-1
refused 'autoscaling has nothing to go by' --set-json autoscaling.cpuUtilization=null
# Helm has read the spelling away: `on` and `true` are the same to it, and 1.10 and 1.1
refused "/config/policies/0/relabel_configs/0/regex': got boolean, want null or string" --set-json 'config.policies=[{"name":"a","action":"relabel","relabel_configs":[{"regex":true}]}]'
refused "/config/policies/0/relabel_configs/0/replacement': got number, want null or string" --set-json 'config.policies=[{"name":"a","action":"relabel","relabel_configs":[{"replacement":1.10}]}]'
refused "/config/policies/0/name': got boolean, want string" --set-json 'config.policies=[{"name":true,"action":"drop"}]'
base=$chart/ci/sidecar-values.yaml
for pod in podLabels.a=b podAnnotations.a=b nodeSelector.a=b 'tolerations[0].key=a' priorityClassName=a; do
    refused "a sidecar's pod is the agent's" --set "$pod"
done
refused 'needs sidecar.podLabels' --set sidecar.networkPolicy=true --set-json sidecar.podLabels=null
refused 'networkPolicy.enabled is false' --set sidecar.networkPolicy=true --set networkPolicy.enabled=false
echo "refusals: $refusals wrong values are refused, each by words that say what is wrong"
