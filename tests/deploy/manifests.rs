//! The committed manifests: their configs are good, and what they say twice is the same both times.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use seriesgate::config::Config;

use super::{documents, read};

const MANIFESTS: [&str; 4] = ["gateway", "aggregator", "sidecar", "arms-prom"];

/// Where the example for a sidecar has its password.
const SECRETS: &str = "/etc/seriesgate-backend";

/// What the Secret of the example for ARMS holds.
fn variable(name: &str) -> Option<String> {
    let value = match name {
        "ARMS_REMOTE_WRITE_URL" => "https://arms.example.com/api/v1/write",
        "ARMS_ACCESS_KEY_ID" | "ARMS_ACCESS_KEY_SECRET" => "key",
        _ => return None,
    };
    Some(value.to_owned())
}

struct Manifest {
    name: &'static str,
    objects: Vec<Value>,
}

impl Manifest {
    fn all() -> Vec<Self> {
        let read = |name| Self { name, objects: documents(&read(&format!("deploy/manifests/{name}.yaml"))) };
        MANIFESTS.map(read).into()
    }

    fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.objects.iter().filter(|object| object["kind"] == kind).collect()
    }

    /// The config of the gate as text.
    fn config(&self) -> &str {
        let [secret] = self.of_kind("Secret")[..] else { panic!("{}: one Secret", self.name) };
        secret["stringData"]["seriesgate.yaml"].as_str().unwrap()
    }

    /// Pods with a gate: those of its own, and those that its snippets make.
    fn pods(&self) -> Vec<Value> {
        let workloads = self.objects.iter().filter(|object| object["spec"]["template"].is_object());
        let mut pods: Vec<Value> =
            workloads.map(|object| object["spec"]["template"]["spec"].clone()).collect();
        for (name, text) in self.of_kind("ConfigMap").iter().flat_map(|map| map["data"].as_object().unwrap())
        {
            let snippet = documents(text.as_str().unwrap()).remove(0);
            let pod = if name == "patch.yaml" { &snippet["spec"]["template"]["spec"] } else { &snippet };
            pods.push(pod.clone());
        }
        assert!(!pods.is_empty(), "{}", self.name);
        pods
    }

    fn loaded(&self, secrets: &Path) -> Config {
        let text = self.config().replace(SECRETS, secrets.to_str().unwrap());
        let loaded = Config::parse(&text, self.name, Path::new("/"), &variable);
        loaded.unwrap_or_else(|errors| panic!("{errors}")).config
    }
}

/// A directory with what the configs name.
fn secrets() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("password"), "secret").unwrap();
    dir
}

fn gate(pod: &Value) -> &Value {
    let [container] = &pod["containers"].as_array().unwrap()[..] else { panic!("one container: {pod}") };
    container
}

#[test]
fn their_configs_are_good_and_draw_no_warning() {
    let secrets = secrets();
    for manifest in Manifest::all() {
        let file = secrets.path().join("seriesgate.yaml");
        std::fs::write(&file, manifest.config().replace(SECRETS, secrets.path().to_str().unwrap())).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        for name in ["ARMS_REMOTE_WRITE_URL", "ARMS_ACCESS_KEY_ID", "ARMS_ACCESS_KEY_SECRET"] {
            command.env(name, variable(name).unwrap());
        }
        let output = command.args(["check", "--strict", "--config"]).arg(&file).output().unwrap();
        let told = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{}: {told}", manifest.name);
    }
}

#[test]
fn the_example_for_a_gateway_listens_as_the_chart_does() {
    let example = Config::parse(&read("config/gateway.yaml"), "gateway", Path::new("/"), &variable).unwrap();
    let gateway = Manifest::all().remove(0).loaded(secrets().path());
    assert_eq!(example.config.listen.address, gateway.listen.address);
    assert_eq!(example.config.admin.address, gateway.admin.address);
}

#[test]
fn ports_are_the_same_everywhere_and_those_of_the_docs() {
    let secrets = secrets();
    let usual = "upstreams: [ { name: a, url: 'http://h/w' } ]\n";
    let usual = Config::parse(usual, "usual", Path::new("/"), &variable).unwrap().config;
    for manifest in Manifest::all() {
        let config = manifest.loaded(secrets.path());
        let (write, admin) = (config.listen.address.port(), config.admin.address.port());
        assert_eq!((write, admin), (usual.listen.address.port(), usual.admin.address.port()));
        // from outside of the pod, in clusters of IPv4, of IPv6 and of both
        let everywhere = IpAddr::from(Ipv6Addr::UNSPECIFIED);
        assert_eq!(config.admin.address.ip(), everywhere, "{}", manifest.name);
        let sidecar = manifest.name == "sidecar";
        let beside = IpAddr::from(Ipv4Addr::LOCALHOST);
        assert_eq!(
            config.listen.address.ip(),
            if sidecar { beside } else { everywhere },
            "{}",
            manifest.name
        );
        for pod in manifest.pods() {
            let container = gate(&pod);
            let ports = container["ports"].as_array().unwrap();
            let port = |name: &str| {
                ports.iter().find(|port| port["name"] == name).map(|port| &port["containerPort"])
            };
            assert_eq!(port("gate-admin"), Some(&Value::from(admin)));
            assert_eq!(port("write"), (!sidecar).then_some(&Value::from(write)), "{}", manifest.name);
            for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
                assert_eq!(container[probe]["httpGet"]["port"], "gate-admin", "{probe}");
            }
        }
        for service in manifest.of_kind("Service") {
            for port in service["spec"]["ports"].as_array().unwrap() {
                let wanted = if port["name"] == "write" { write } else { admin };
                assert_eq!((&port["port"], &port["targetPort"]), (&Value::from(wanted), &port["name"]));
            }
        }
        let policies = manifest.of_kind("NetworkPolicy");
        // they add up, so one for an agent's pods would open what another one closed
        assert_eq!(policies.len(), usize::from(!sidecar), "{}", manifest.name);
        let open = |rule: &&Value| rule["from"].is_null();
        let rules = policies.iter().flat_map(|policy| policy["spec"]["ingress"].as_array().unwrap());
        for port in rules.filter(open).flat_map(|rule| rule["ports"].as_array().unwrap()) {
            let admits = port["port"] == admin || port["port"] == "gate-admin" || !port["endPort"].is_null();
            assert!(!admits, "{}: {port} is open to all", manifest.name);
        }
        for text in manifest.pods().iter().map(|pod| pod["remoteWrite"].to_string()) {
            assert!(
                text == "null" || text.contains(&format!("http://127.0.0.1:{write}/api/v1/write")),
                "{text}"
            );
        }
    }
}

#[test]
fn a_pod_waits_for_longer_than_a_stop_takes() {
    let secrets = secrets();
    for manifest in Manifest::all() {
        let drain = manifest.loaded(secrets.path()).listen.drain_timeout.as_secs();
        for pod in manifest.pods() {
            let sleep = gate(&pod)["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap();
            // Prometheus Operator sets 600 seconds itself
            let Some(grace) = pod["terminationGracePeriodSeconds"].as_u64() else { continue };
            assert!(sleep >= 5 && grace >= sleep + drain + 5, "{}: {grace} s", manifest.name);
        }
    }
}

#[test]
fn pods_may_do_nothing_that_a_gate_does_not_do() {
    for manifest in Manifest::all() {
        for pod in manifest.pods() {
            let container = gate(&pod);
            let (of_pod, own) = (&pod["securityContext"], &container["securityContext"]);
            let either = |key: &str| if own[key].is_null() { &of_pod[key] } else { &own[key] };
            assert_eq!(either("runAsNonRoot"), &Value::Bool(true), "{}", manifest.name);
            assert_eq!(either("runAsUser"), 65532);
            assert_eq!(either("seccompProfile")["type"], "RuntimeDefault");
            assert_eq!(own["readOnlyRootFilesystem"], true);
            assert_eq!(own["allowPrivilegeEscalation"], false);
            assert_eq!(own["capabilities"]["drop"][0], "ALL");
            let limit = &container["resources"]["limits"]["memory"];
            assert!(limit.is_string(), "the gate goes by its memory limit");
            // a key that is mounted by itself would never change
            let mounts = container["volumeMounts"].as_array().unwrap();
            assert!(mounts.iter().all(|mount| mount["subPath"].is_null()), "{}", manifest.name);
        }
        for object in &manifest.objects {
            let pod = &object["spec"]["template"]["spec"];
            assert!(!pod.is_object() || pod["automountServiceAccountToken"] == false, "{}", manifest.name);
        }
    }
}

#[test]
fn gates_that_keep_groups_mark_what_they_make() {
    // a sidecar's, too: each of an agent's pods has one, and all of them write to one backend
    for manifest in Manifest::all() {
        let marks = manifest.config().contains("instance_label: seriesgate");
        assert_eq!(marks, ["aggregator", "sidecar"].contains(&manifest.name), "{}", manifest.name);
    }
}

#[test]
fn an_aggregator_keeps_its_state_and_tells_its_gates_apart() {
    let secrets = secrets();
    let manifest = Manifest::all().into_iter().find(|manifest| manifest.name == "aggregator").unwrap();
    let config = manifest.loaded(secrets.path());
    let [set] = manifest.of_kind("StatefulSet")[..] else { panic!("one StatefulSet") };
    assert!(set["spec"]["replicas"].as_u64().unwrap() > 1);
    let mounts = gate(&set["spec"]["template"]["spec"])["volumeMounts"].as_array().unwrap();
    let data = mounts.iter().find(|mount| mount["name"] == "data").unwrap();
    assert_eq!(config.data_dir.as_deref(), Some(Path::new(data["mountPath"].as_str().unwrap())));
    assert_eq!(set["spec"]["volumeClaimTemplates"][0]["metadata"]["name"], "data");
    // one Secret for all, so each takes its own name: the host name, which a StatefulSet keeps
    let text = manifest.config();
    assert!(text.contains("instance_label: seriesgate") && !text.contains("instance: "), "{text}");
    let pod = &set["spec"]["template"]["spec"];
    assert!(pod["hostNetwork"].is_null() && pod["hostname"].is_null());
    // all connections of an agent go to one gate (docs/policies.md)
    let service = manifest.of_kind("Service")[0];
    assert_eq!(service["spec"]["sessionAffinity"], "ClientIP");
}

#[test]
fn the_docs_send_arms_prom_to_the_service_of_its_manifest() {
    let manifest = Manifest::all().into_iter().find(|manifest| manifest.name == "arms-prom").unwrap();
    let services = manifest.of_kind("Service");
    let service = services.iter().find(|service| service["spec"]["clusterIP"] != "None").unwrap();
    let name = service["metadata"]["name"].as_str().unwrap();
    let ports = service["spec"]["ports"].as_array().unwrap();
    let port =
        ports.iter().find(|port| port["name"] == "write").unwrap_or(&ports[0])["port"].as_u64().unwrap();
    // the namespace is that of the command above it
    let url = format!("http://{name}.seriesgate.svc:{port}/api/v1/write");
    let docs = read("docs/deploy.md");
    let section = docs.split("## In front of arms-prom").nth(1).unwrap();
    assert!(section.contains(&format!("- url: {url}\n")), "{url}");
}
