//! Good configs: defaults, each value at its place, secrets from everywhere.

use std::fs;
use std::path::Path;
use std::time::Duration;

use seriesgate::config::{Config, OnThrottle, Upstream, UpstreamAuth};
use seriesgate::policy::{Action, Disposition, Mode, PolicySet, Run, WorkloadSource};
use seriesgate::series::grammar::Kind;
use seriesgate::series::{Labels, RunFacts, RunProgress, WorkloadFacts};

fn env(name: &str) -> Option<String> {
    match name {
        "TOKEN" => Some("hunter2".into()),
        "HOST" => Some("backend".into()),
        _ => None,
    }
}

fn config_in(dir: &Path, text: &str) -> Config {
    Config::parse(text, "gate.yaml", dir, &env).unwrap_or_else(|errors| panic!("{errors}")).config
}

fn config(text: &str) -> Config {
    config_in(Path::new("/etc/gate"), text)
}

fn upstream(keys: &str) -> Upstream {
    config(&format!("upstreams:\n  - name: a\n    url: https://h/w\n    {keys}\n")).upstream
}

#[test]
fn one_upstream_is_enough_and_the_rest_has_defaults() {
    let config = config("upstreams: [ { name: primary, url: http://h/w } ]");
    assert_eq!(config.listen.address.to_string(), "0.0.0.0:9201");
    assert_eq!(config.listen.max_body_bytes, 32 << 20);
    assert_eq!(config.listen.idle_timeout, Duration::from_secs(600));
    assert_eq!((config.listen.max_connections, config.listen.max_in_flight_bytes), (None, None));
    assert_eq!(config.admin.address.to_string(), "127.0.0.1:9202");
    assert_eq!((config.tenant.header.as_str(), config.tenant.max), ("x-scope-orgid", 1000));
    assert_eq!(config.data_dir, None);
    assert_eq!(config.upstream.timeout, Duration::from_secs(25));
    assert_eq!(config.upstream.on_throttle, OnThrottle::Pass);
    assert_eq!(config.series.max_tracked, 2_000_000);
    assert!(config.policies.is_empty());
}

#[test]
fn sections_without_content_have_defaults_too() {
    let bare = config("upstreams: [ { name: primary, url: http://h/w } ]");
    let empty = "listen: {}\nadmin: {}\ntenant: {}\nseries: {}\npolicies: []\ndata_dir:\n";
    assert_eq!(config(&format!("{empty}upstreams: [ {{ name: primary, url: http://h/w }} ]")), bare);
}

#[test]
fn policies_keep_their_order_and_say_what_they_match() {
    let config = config(
        "upstreams: [ { name: a, url: http://h/w } ]
policies:
  - { name: one, match: up, action: pass }
  - { name: two, match: [ 'a{x=\"1\"}', '{y!~\"2\"}' ], action: drop, mode: preview }
  - { name: rest, action: drop }
",
    );
    let seen: Vec<_> = config
        .policies
        .iter()
        .map(|p| (p.name.as_ref(), p.selectors.len(), p.action.clone(), p.mode))
        .collect();
    let expected = [
        ("one", 1, Action::Pass, Mode::Enforce),
        ("two", 2, Action::Drop, Mode::Preview),
        ("rest", 0, Action::Drop, Mode::Enforce),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn the_environment_fills_url_headers_auth_and_tls_but_nothing_else() {
    let upstream = upstream(
        "basic_auth: { username: $HOST, password: 'a${TOKEN}$${TOKEN}' }\n    headers: { X-A: 'v ${HOST}' }",
    );
    let UpstreamAuth::Basic(basic) = &upstream.auth else { panic!("{:?}", upstream.auth) };
    assert_eq!((basic.username.as_str(), basic.password.expose()), ("$HOST", "ahunter2${TOKEN}"));
    assert_eq!(upstream.headers[0].0, "x-a");
    assert_eq!(upstream.headers[0].1.expose(), "v backend");
    let config = config(
        "data_dir: '/x/${HOST}'
upstreams: [ { name: a, url: 'http://${HOST}/${TOKEN}', tls: } ]
policies: [ { name: a, match: '{x=\"${HOST}\"}', action: pass } ]",
    );
    assert_eq!(config.upstream.url, "http://backend/hunter2");
    assert_eq!(config.data_dir.as_deref(), Some(Path::new("/x/${HOST}")));
    assert_eq!(config.policies[0].selectors[0].matchers[0].value, "${HOST}");
}

#[test]
fn secrets_come_from_files_beside_the_config_without_their_last_newline() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [("user", "u\n"), ("pw", "p w\r\n"), ("h", "v")] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let path = dir.path().join("gate.yaml");
    let text = "upstreams: [ { name: a, url: http://h/w, basic_auth: { username_file: user, password_file: pw }, \
                headers_from_files: { X-Key: h } } ]";
    fs::write(&path, text).unwrap();
    let loaded = Config::load(&path, &env).unwrap();
    let UpstreamAuth::Basic(basic) = &loaded.config.upstream.auth else { panic!("no basic auth") };
    assert_eq!((basic.username.as_str(), basic.password.expose()), ("u", "p w"));
    assert_eq!(loaded.config.upstream.headers[0].1.expose(), "v");

    let again = Config::load(&path, &env).unwrap();
    assert_eq!(again.files, loaded.files, "nothing changed");
    fs::write(dir.path().join("pw"), "other").unwrap();
    assert_ne!(Config::load(&path, &env).unwrap().files, loaded.files, "a secret changed");
    assert!(loaded.files.changed());

    fs::write(&path, "upstreams: 1\n").unwrap();
    let bad = Config::load(&path, &env).unwrap_err();
    assert!(!bad.files().changed(), "a bad file is looked at once");
    fs::write(&path, "upstreams: 2\n").unwrap();
    assert!(bad.files().changed());
}

#[test]
fn an_upstream_is_another_one_when_a_file_of_its_tls_has_other_content() {
    let dir = tempfile::tempdir().unwrap();
    for key in ["ca_file", "cert_file", "key_file"] {
        for name in ["ca_file", "cert_file", "key_file"] {
            fs::write(dir.path().join(name), "old").unwrap();
        }
        let text = "upstreams: [ { name: a, url: https://h/w, tls: { ca_file: ca_file, cert_file: cert_file, \
                    key_file: key_file } } ]";
        let before = config_in(dir.path(), text).upstream;
        assert_eq!(config_in(dir.path(), text).upstream, before, "nothing changed");
        fs::write(dir.path().join(key), "new").unwrap();
        assert_ne!(config_in(dir.path(), text).upstream, before, "{key}");
    }
}

#[test]
fn debug_shows_no_secret() {
    for keys in [
        "bearer_token: hunter2",
        "basic_auth: { username: u, password: hunter2 }",
        "headers: { X-A: hunter2 }",
    ] {
        let shown = format!("{:?}", upstream(keys));
        assert!(!shown.contains("hunter2") && shown.contains("<secret>"), "{shown}");
    }
    let shown = format!("{:?}", config("upstreams: [ { name: a, url: 'https://h/api/${TOKEN}/w' } ]"));
    assert!(!shown.contains("hunter2") && shown.contains("https://h/…"), "{shown}");
}

#[test]
fn a_file_may_have_a_byte_order_mark_windows_lines_numbers_as_secrets_and_anchors() {
    let text = "\u{feff}listen:\r\n  header_timeout: &t 3s\r\n  body_timeout: *t\r\n\
                upstreams:\r\n  - name: a\r\n    url: http://h/w\r\n    bearer_token: 12345\r\n";
    let config = config(text);
    assert_eq!(config.listen.body_timeout, Duration::from_secs(3));
    let UpstreamAuth::Bearer(token) = &config.upstream.auth else { panic!("no token") };
    assert_eq!(token.expose(), "12345");
}

/// The committed examples, by name.
fn examples() -> impl Iterator<Item = (&'static str, Config)> {
    let env = |name: &str| {
        Some(if name.ends_with("_URL") { "https://host/api/v1/write" } else { "filled-in" }.to_owned())
    };
    ["sidecar", "gateway", "arms-prom", "cronjob-history"].into_iter().map(move |name| {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("config/{name}.yaml"));
        (name, Config::load(&path, &env).unwrap_or_else(|errors| panic!("{errors}")).config)
    })
}

#[test]
fn every_committed_example_loads() {
    for (name, config) in examples() {
        assert!(!config.policies.is_empty(), "{name} shows policies");
    }
}

/// Also once what they preview is in force, and long after the run.
#[test]
fn every_committed_example_leaves_what_alerts_on_failed_jobs_read() {
    let run = RunFacts {
        scheduled: Some(0),
        came: Some(0),
        progress: RunProgress::Ended(0),
        newer: 1000,
        fresh: false,
    };
    let find =
        || Some(WorkloadFacts { kind: Kind::Cronjob, name: "sync".into(), said: true, run: Some(run) });
    for (name, config) in examples() {
        let mut policies = config.policies.clone();
        policies.iter_mut().for_each(|policy| policy.mode = Mode::Enforce);
        let set = PolicySet::compile(&policies, Run::AsConfigured).unwrap();
        for metric in ["kube_job_failed", "kube_job_status_failed", "kube_job_info"] {
            for namespace in ["namespace", "exported_namespace"] {
                let mut pairs = [
                    ("__name__", metric),
                    ("condition", "true"),
                    ("job_name", "sync-29707814"),
                    (namespace, "shop"),
                ];
                pairs.sort_unstable();
                let source = WorkloadSource::new(u32::MAX - 1, &find);
                let decision = set.decide(Labels::from_sorted(&pairs), &source, &config.series.limits());
                let is_left = decision.verdict.disposition() == Disposition::Forward;
                assert_eq!(is_left, metric != "kube_job_info", "{name}: {metric}, {namespace}");
            }
        }
    }
}
