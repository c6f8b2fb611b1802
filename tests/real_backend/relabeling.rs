//! The same rules in Prometheus, which writes to one VictoriaMetrics, and in the gate, which gets everything plain
//! and writes to another: both must hold the same.
//!
//! Debian has Prometheus 2.42 and we follow Prometheus 3, so the chains keep to what both mean the same by. Left out:
//!
//! - a dot that has to match a line break (it does since 3.0), and `(?<name>…)` (since Go 1.22);
//! - label names that are not `[a-zA-Z_][a-zA-Z0-9_]*`, in rules and in what rules make;
//! - letters whose case the Unicode tables of that Go do not know yet;
//! - two series that become one: Prometheus sends both, and the gate is there to prevent that;
//! - series that lose their name or all labels: VictoriaMetrics takes them, and we do not send them;
//! - rules that 2.42 refuses and 3 accepts.
//!
//! All of these are in `tests/relabel_cases.rs`, which holds the rules to what Prometheus 3 itself said.

use std::fmt::Write as _;

use crate::programs::{self, LIMIT, Program};
use crate::query::{self, Labels};
use crate::support::gate::{Gate, Setup};
use crate::support::wait::until;
use crate::target::Target;

const JOBS: [(&str, &str); 3] = [("state", "/ksm"), ("nodes", "/cadvisor"), ("odd", "/odd")];

/// A chain, and a series that it makes.
struct Chain {
    name: &'static str,
    rules: &'static [&'static str],
    made: &'static [(&'static str, &'static str)],
}

const CHAINS: [Chain; 3] = [
    Chain {
        name: "twenty-of-a-cluster",
        rules: &[
            "{ action: drop, source_labels: [__name__], regex: 'scrape_(duration|series).+' }",
            "{ action: drop, source_labels: [__name__, namespace], regex: 'kube_job_.+;test' }",
            "{ action: keep, source_labels: [__name__], regex: '.+' }",
            "{ source_labels: [namespace], target_label: team }",
            "{ source_labels: [namespace], regex: '(sh).*', target_label: tier, replacement: 'tier-$1' }",
            "{ source_labels: [image], regex: '[^/]+/(.+):(.+)', target_label: app, replacement: '${1}@$2' }",
            "{ source_labels: [pod], regex: '(.+)-[a-z0-9]+-[a-z0-9]{5}', target_label: __tmp_owner }",
            "{ source_labels: [__tmp_owner], regex: '(.+)', target_label: owner }",
            "{ action: hashmod, source_labels: [pod, container], modulus: 7, target_label: __tmp_shard }",
            "{ source_labels: [__tmp_shard], regex: '(.+)', target_label: shard, replacement: 's$1' }",
            "{ action: labelmap, regex: 'label_(.+)' }",
            "{ action: labelmap, regex: 'created_by_(kind)', replacement: 'owner_$1' }",
            "{ action: lowercase, source_labels: [owner_kind], target_label: owner_kind }",
            "{ source_labels: [phase, condition], separator: '/', regex: '(.*)/(.*)', target_label: state, replacement: '$2$1' }",
            "{ source_labels: [node, host_ip], regex: 'node-(\\d+);.*', target_label: node_number }",
            "{ source_labels: [id], regex: '/kubepods/([a-z]+)0*(\\d+)', target_label: cgroup, replacement: '$2:$1' }",
            "{ source_labels: [instance], regex: '([^:]+):\\d+', target_label: instance }",
            "{ action: labeldrop, regex: '__tmp_.*|created_by_.*|label_.*' }",
            "{ action: labeldrop, regex: 'uid|pod_ip|host_ip|name' }",
            "{ source_labels: [nothing_has_this], target_label: container }",
        ],
        made: &[("owner", "cart"), ("state", "Running"), ("team", "shop")],
    },
    Chain {
        name: "every-action",
        rules: &[
            "{ action: Replace, source_labels: [text], target_label: copy }",
            "{ action: uppercase, source_labels: [text], target_label: upper }",
            "{ action: lowercase, source_labels: [text], target_label: lower }",
            "{ action: hashmod, source_labels: [text, __name__], separator: '', modulus: 1000003, target_label: hash }",
            "{ source_labels: [text], regex: '(?P<first>\\S+) (?P<rest>.*)', target_label: turned, replacement: '${rest} $first$$' }",
            "{ source_labels: [a, b], regex: '(x)?(y)?;(.*)', target_label: 'made_${1}z', replacement: '[$3|$1x|$2]' }",
            "{ source_labels: [a], regex: 'x', target_label: b, replacement: '' }",
            "{ action: keepequal, source_labels: [job], target_label: job }",
            "{ action: dropequal, source_labels: [a], target_label: same_as_a }",
            "{ action: drop, source_labels: [__name__, drop_me], regex: 'odd_.+;yes|scrape_.+;' }",
            "{ action: keep, source_labels: [job], regex: 'odd' }",
            "{ action: labelmap, regex: '(mix)ed_(.+)', replacement: '${2}_$1' }",
            "{ action: labeldrop, regex: 'mixed_.*' }",
        ],
        made: &[("copy", "Straße İSTANBUL ΣΑΣ ǅ"), ("lower", "straße istanbul σασ ǆ")],
    },
    Chain {
        name: "forty-labels",
        rules: &[
            "{ action: keep, source_labels: [__name__], regex: 'odd_many' }",
            "{ action: labelmap, regex: 'meta_pod_label_(.+)' }",
            "{ action: labelmap, regex: 'meta_(.)od_label_(\\d)(.*)', replacement: '${1}_$3$2' }",
            "{ action: labelkeep, regex: '__name__|job|l\\d*[02468]|p_.*|unique' }",
        ],
        made: &[("l38", "v38"), ("p_8l33", "v38")],
    },
];

/// What exporters do not show every day.
fn odd_page() -> String {
    let mut page = String::from(
        "odd_text{text=\"Straße İSTANBUL ΣΑΣ ǅ\",a=\"x\",b=\"1\"} 1\nodd_text{text=\"plain\",a=\"x\",b=\"2\"} 2\n\
         odd_text{text=\"\",a=\"xy\",b=\"3\"} 3\nodd_text{text=\"a;b \\\"c\\\\d\\\"\",a=\"q\",same_as_a=\"q\"} 4\n\
         odd_text{text=\"$1 ${x} $$\",a=\"y\",b=\"5\",mixed_1=\"m\",mixed_two=\"n\"} 5\n\
         odd_gone{drop_me=\"yes\"} 1\nodd_kept{drop_me=\"no\"} 1e-9\n",
    );
    for series in 0..20 {
        let labels = (0..40).fold(String::new(), |mut all, n| {
            write!(all, ",meta_pod_label_{n}l{}=\"v{n}\",l{n}=\"v{n}\"", n / 10).unwrap();
            all
        });
        writeln!(page, "odd_many{{unique=\"{series}\"{labels}}} {series}").unwrap();
    }
    page
}

/// One chain at work: what Prometheus wrote under its rules, and what the gate made of the plain data.
struct Pair {
    direct: Program,
    gate: Gate,
    gated: Program,
}

async fn pair(chain: &Chain) -> Pair {
    let (direct, gated) = (programs::victoria_metrics().await, programs::victoria_metrics().await);
    let rules = chain.rules.join(", ");
    let gate = Setup::to(gated.url("/api/v1/write"))
        .policy(&format!("name: {}, action: relabel, relabel_configs: [ {rules} ]", chain.name))
        .start()
        .await;
    Pair { direct, gate, gated }
}

fn remote_writes(pairs: &[Pair]) -> String {
    let queue = "queue_config: { batch_send_deadline: 200ms }";
    let blocks = CHAINS.iter().zip(pairs).map(|(chain, pair)| {
        let (direct, gate) = (pair.direct.url("/api/v1/write"), pair.gate.write);
        let rules = chain.rules.join(", ");
        format!(
            "  - {{ url: '{direct}', {queue}, write_relabel_configs: [ {rules} ] }}\n  \
             - {{ url: 'http://{gate}/api/v1/write', {queue} }}\n"
        )
    });
    blocks.collect()
}

fn has(labels: &Labels, wanted: &[(&str, &str)]) -> bool {
    wanted.iter().all(|(name, value)| labels.get(*name).is_some_and(|found| found == value))
}

async fn until_scraped(target: &Target, times: usize) {
    let shown = |path| target.shown().iter().filter(|shown| shown.path == path).count();
    let all = async || JOBS.iter().all(|(_, path)| shown(*path) >= times).then_some(());
    until(&format!("{times} scrapes of each page"), LIMIT, all).await;
}

/// Waits until both stores hold the same up to `end_ms`.
async fn until_equal(chain: &Chain, pair: &Pair, end_ms: i64) {
    let mut difference = String::new();
    let equal = tokio::time::timeout(LIMIT, async {
        loop {
            let direct = query::victoria_metrics(&pair.direct, end_ms).await;
            let gated = query::victoria_metrics(&pair.gated, end_ms).await;
            difference = query::difference(&direct, &gated);
            let made = direct.iter().filter(|(labels, _)| has(labels, chain.made));
            if difference.is_empty() && made.map(|(_, samples)| samples.len()).max() >= Some(2) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        }
    });
    assert!(equal.await.is_ok(), "{}: Prometheus (expected) and the gate (found):\n{difference}", chain.name);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_relabels_as_prometheus_does() {
    if !programs::are_here(&["prometheus", "victoria-metrics"]) {
        return;
    }
    let pages = vec![
        ("/ksm", include_str!("../data/ksm.prom.txt").to_owned()),
        ("/cadvisor", include_str!("../data/cadvisor.prom.txt").to_owned()),
        ("/odd", odd_page()),
    ];
    let target = Target::start(pages).await;
    let mut pairs = Vec::new();
    for chain in &CHAINS {
        pairs.push(pair(chain).await);
    }
    let prometheus = programs::prometheus_with(target.address, &JOBS, &remote_writes(&pairs)).await;
    until_scraped(&target, 3).await;
    let end_ms = seriesgate::clock::Clock::system().unix_ms();
    until_scraped(&target, 6).await;
    for (chain, pair) in CHAINS.iter().zip(pairs) {
        until_equal(chain, &pair, end_ms).await;
        let metrics = pair.gate.metrics().await;
        assert_eq!(metrics.fate("rejected"), 0.0, "{}", metrics.0);
        assert_eq!(metrics.sum("seriesgate_contested_series", &[]), 0.0, "{}", metrics.0);
        assert!(metrics.fate("dropped") > 0.0, "each chain drops something");
        pair.gate.finish().await;
    }
    drop(prometheus);
}
