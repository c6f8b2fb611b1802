use super::*;
use crate::policy::borrowed;

fn aggregation(keys: Keys, collapse: &[&str]) -> Aggregation {
    Aggregation {
        keys,
        collapse: collapse.iter().map(|label| (*label).to_owned()).collect(),
        replica_labels: ["__replica__".to_owned()].into(),
        ..Aggregation::default()
    }
}

const SERIES: [(&str, &str); 6] = [
    ("__name__", "http_requests_total"),
    ("__replica__", "r0"),
    ("code", "200"),
    ("job_name", "sync-27900000"),
    ("pod", "web-7d764666f9-qdcxt"),
    ("uid", "1"),
];

fn group(aggregation: &Aggregation) -> String {
    let group = aggregation.group_of(Labels::from_sorted(&SERIES));
    Labels::from_sorted(&borrowed(&group)).to_string()
}

#[test]
fn the_name_and_the_replica_always_stay() {
    let by = aggregation(Keys::By(names(&["code"])), &[]);
    assert_eq!(group(&by), r#"http_requests_total{__replica__="r0",code="200"}"#);
    let nothing = aggregation(Keys::By(Vec::new()), &[]);
    assert_eq!(group(&nothing), r#"http_requests_total{__replica__="r0"}"#);
    let without =
        aggregation(Keys::Without(names(&["__name__", "__replica__", "pod", "uid"])), &["job_name"]);
    assert_eq!(group(&without), r#"http_requests_total{__replica__="r0",code="200",job_name="sync"}"#);
    let collapsed = aggregation(Keys::Without(names(&["uid", "job_name"])), &["pod", "code"]);
    assert_eq!(group(&collapsed), r#"http_requests_total{__replica__="r0",code="200",pod="web"}"#);
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn grouped(aggregation: &Aggregation, series: &[(&str, &str)]) -> String {
    let group = aggregation.group_of(Labels::from_sorted(series));
    Labels::from_sorted(&borrowed(&group)).to_string()
}

const BUCKET: [(&str, &str); 6] = [
    ("__name__", "x_bucket"),
    ("gate", "g-0"),
    ("le", "1"),
    ("pod", "a"),
    ("quantile", "0.50"),
    ("vmrange", "1.0e0...1.1e0"),
];

#[test]
fn what_a_value_means_stays_whatever_the_policy_says() {
    let list = ["le", "quantile", "vmrange", "gate", "pod"];
    for keys in [Keys::By(Vec::new()), Keys::Without(names(&list))] {
        let mut told = aggregation(keys, &list);
        told.instance = Some(("gate".into(), "g-1".into()));
        let expected = r#"x_bucket{gate="g-1",le="1.0",quantile="0.5",vmrange="1.0e0...1.1e0"}"#;
        assert_eq!(grouped(&told, &BUCKET), expected);
    }
    // the name of a replica is that of a pod, but two replicas are not one workload
    let mut told = aggregation(Keys::All, &["prometheus_replica"]);
    told.replica_labels = ["prometheus_replica".to_owned()].into();
    let series = [("__name__", "up"), ("prometheus_replica", "prometheus-k8s-0")];
    assert_eq!(grouped(&told, &series), r#"up{prometheus_replica="prometheus-k8s-0"}"#);
}

#[test]
fn rules_that_take_what_tells_series_apart_are_found() {
    let told = aggregation(Keys::All, &[]);
    let series = |labels: &[(&str, &str)], without: &str, instead: Option<(&str, &str)>| {
        let mut after: Vec<_> = labels.iter().copied().filter(|(name, _)| *name != without).collect();
        after.extend(instead.map(|(_, value)| (without, value)).filter(|_| !without.is_empty()));
        after.sort_unstable();
        told.lost(Labels::from_sorted(labels), Labels::from_sorted(&after)).map(str::to_owned)
    };
    let lost =
        |without, instead: Option<&'static str>| series(&BUCKET, without, instead.map(|value| ("", value)));
    assert_eq!(lost("le", None).as_deref(), Some("le"));
    assert_eq!(lost("le", Some("2")).as_deref(), Some("le"));
    assert_eq!(lost("le", Some("1.0")), None, "the same bound");
    assert_eq!(lost("quantile", None).as_deref(), Some("quantile"));
    assert_eq!(lost("vmrange", None).as_deref(), Some("vmrange"));
    assert_eq!(lost("pod", None), None);
    assert_eq!(lost("gate", None), None, "another gate's sums may be added up");
    assert_eq!(series(&SERIES, "__replica__", None).as_deref(), Some("__replica__"));
    let mut told = aggregation(Keys::All, &[]);
    told.replica_labels = ["__replica__".to_owned(), "replica".to_owned()].into();
    let (before, after) = ([("__replica__", "r0")], [("replica", "r0")]);
    assert_eq!(told.lost(Labels::from_sorted(&before), Labels::from_sorted(&after)), None, "moved");
    let after = [("replica", "r1")];
    assert_eq!(told.lost(Labels::from_sorted(&before), Labels::from_sorted(&after)), Some("__replica__"));
    assert_eq!(series(&SERIES, "__name__", Some(("", "requests_total"))), None);
}

#[test]
fn whose_output_it_is_and_a_new_name_can_be_told() {
    let mut named = aggregation(Keys::By(Vec::new()), &[]);
    named.instance = Some(("gate".into(), "g-1".into()));
    named.suffix = Some(":all".into());
    assert_eq!(
        group(&named),
        r#"{"http_requests:all_total",__replica__="r0",gate="g-1"}"#
            .replace("{\"http_requests:all_total\",", "http_requests:all_total{")
    );
}
