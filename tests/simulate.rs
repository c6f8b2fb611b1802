//! `seriesgate simulate`, as it is run.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use prost::Message;
use seriesgate_proto::{TimeSeries, WriteRequest, encode_snappy, v2};
use tempfile::TempDir;

const POLICIES: &str = "upstreams: [ { name: a, url: 'http://h/w' } ]\nseries: { idle_after: 60s }\npolicies:\n  \
     - { name: noise, match: noise, action: drop }\n  \
     - { name: look, match: up, action: drop, mode: preview }\n  \
     - { name: house, match: '{pod=~\".+\"}', action: relabel, relabel_configs: [ { action: labeldrop, regex: pod } ] }\n";

struct Case(TempDir);

impl Case {
    fn new(files: &[(&str, &[u8])]) -> Self {
        Self::with(POLICIES, files)
    }

    /// One text through one policy.
    fn of(policy: &str, text: &str) -> Self {
        let upstream = "upstreams: [ { name: a, url: 'http://h/w' } ]";
        Self::with(&format!("{upstream}\npolicies: [ {policy} ]\n"), &[("a.txt", text.as_bytes())])
    }

    fn with(config: &str, files: &[(&str, &[u8])]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("gate.yaml"), config).unwrap();
        for (name, content) in files {
            let path = dir.path().join("in").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, content).unwrap();
        }
        Self(dir)
    }

    fn run(&self, options: &[&str]) -> Output {
        let path = |name: &str| Path::new(self.0.path()).join(name);
        Command::new(env!("CARGO_BIN_EXE_seriesgate"))
            .args(["simulate", "--config"])
            .arg(path("gate.yaml"))
            .args(options)
            .arg(path("in"))
            .output()
            .unwrap()
    }

    fn prints(&self, options: &[&str]) -> String {
        let output = self.run(&[&["--print"], options].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn samples_are_printed_as_they_would_go_upstream() {
    let text = "# TYPE up gauge\nup{pod=\"b\",zone=\"z\"} 1.50 2000\nnoise 1 1000\n\
                up{pod=\"b\",zone=\"z\"} StaleNaN 3000\nplain{a=\"\\\"\"} -Inf 1000\n";
    let expected = "plain{a=\"\\\"\"} -Inf 1000\nup{zone=\"z\"} 1.5 2000\nup{zone=\"z\"} StaleNaN 3000\n";
    assert_eq!(Case::new(&[("a.txt", text.as_bytes())]).prints(&[]), expected);
    // what was printed can be read again, and nothing more happens to it
    assert_eq!(Case::new(&[("a.txt", expected.as_bytes())]).prints(&[]), expected);
}

#[test]
fn bodies_of_both_versions_and_text_are_one_stream_in_file_order() {
    let v1 = WriteRequest::of(vec![TimeSeries::named("up", &[("pod", "x")]).with_sample(1000, 1.0)]);
    let v2 = v2::Request {
        symbols: ["", "__name__", "up", "pod", "x", "noise"].map(str::to_owned).into(),
        timeseries: vec![[1, 2, 3, 4], [1, 5, 3, 4]]
            .into_iter()
            .map(|refs| v2::TimeSeries {
                labels_refs: refs.into(),
                samples: vec![v2::Sample { value: 2.0, timestamp: 2000, start_timestamp: 0 }],
                ..v2::TimeSeries::default()
            })
            .collect(),
    };
    let case = Case::new(&[
        ("1/recorded.snappy", &encode_snappy(&v1)),
        ("2.pb", &v2.encode_to_vec()),
        ("3.txt", b"up{pod=\"x\"} 3 3000\n"),
        (".hidden", b"not read"),
    ]);
    assert_eq!(case.prints(&[]), "up 1 1000\nup 2 2000\nup 3 3000\n");
}

#[test]
fn identities_are_freed_in_the_time_of_the_samples() {
    let line = |pod: &str, second: i64| format!("up{{pod=\"{pod}\"}} {second} {}\n", second * 1000);
    // a goes away; b, which was held back and asks every 30 s, has its identity when a was silent for 45 s of sample time
    let mut text: String = (0..5).map(|i| line("a", i * 10) + &line("b", i * 10)).collect();
    text.extend((5..16).map(|i| line("b", i * 10)));
    let printed = Case::new(&[("a.txt", text.as_bytes())]).prints(&[]);
    let times: Vec<i64> =
        printed.lines().map(|line| line.split(' ').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(times[..5], [0, 10, 20, 30, 40], "the first owner");
    assert_eq!(times[5], 90, "{times:?}");
    assert_eq!(times.last(), Some(&150));
}

#[test]
fn text_without_timestamps_is_a_scrape_a_file() {
    let case = Case::new(&[("1", b"up 1\n"), ("2", b"up 2\n"), ("3", b"up 3\n")]);
    assert_eq!(case.prints(&["--interval", "30s"]), "up 1 0\nup 2 30000\nup 3 60000\n");
    assert_eq!(
        case.prints(&["--interval", "30s", "--start", "100"]),
        "up 1 100000\nup 2 130000\nup 3 160000\n"
    );
    let output = case.run(&[]);
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("in/1:1:1: ") && told.contains("--interval"), "{told}");
}

#[test]
fn the_summary_says_what_each_policy_did() {
    let text = "noise 1 1000\nup{pod=\"a\"} 1 1000\nup{pod=\"b\"} 1 1000\nup{pod=\"a\"} 2 2000\n{a=\"no name\"} 1 1000\n";
    let case = Case::new(&[("a.txt", text.as_bytes())]);
    let output = case.run(&["--json"]);
    let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["in"]["series"], &told["in"]["samples"]), (&4.into(), &5.into()));
    assert_eq!((&told["out"]["series"], &told["out"]["samples"]), (&1.into(), &2.into()));
    assert_eq!(
        (&told["dropped"], &told["collisions"], &told["rejected"]["no_name"]),
        (&1.into(), &1.into(), &1.into())
    );
    let row = |number: usize| {
        let row = &told["policies"][number];
        ["samples_in", "samples_out", "series_dropped", "series_rewritten"]
            .map(|key| row[key].as_u64().unwrap())
    };
    assert_eq!([row(0), row(1), row(2)], [[1, 0, 1, 0], [3, 0, 2, 0], [3, 2, 0, 2]]);
    let text = String::from_utf8(case.run(&[]).stdout).unwrap();
    assert!(text.contains("held back: collision"), "{text}");
}

#[test]
fn limits_hold_from_the_beginning_of_a_recording() {
    let text = "hits_total{pod=\"a\"} 0 1000\nhits_total{pod=\"b\"} 0 1000\nhits_total{pod=\"c\"} 0 1000\n\
                hits_total{pod=\"a\"} 1 61000\nhits_total{pod=\"b\"} 2 61000\nhits_total{pod=\"c\"} 3 61000\n";
    let held = Case::of("{ name: few, action: limit, max_series: 1 }", text);
    assert_eq!(held.prints(&[]), "hits_total{pod=\"a\"} 0 1000\nhits_total{pod=\"a\"} 1 61000\n");
    let told: serde_json::Value = serde_json::from_slice(&held.run(&["--json"]).stdout).unwrap();
    let policy = &told["policies"][0];
    assert_eq!(
        (&told["held"], &policy["series_held"], &policy["samples_out"]),
        (&4.into(), &2.into(), &2.into())
    );
    let table = String::from_utf8(held.run(&[]).stdout).unwrap();
    assert!(table.contains("held back: limit") && table.contains("2 series held back"), "{table}");
    let fold = "{ name: few, action: limit, max_series: 1, on_exceed: fold, fold_labels: [pod], interval: 1m, delay: 0s }";
    let folded = Case::of(fold, text);
    let printed = folded.prints(&[]);
    let sum = printed.lines().rfind(|line| line.contains("pod=\"__overflow__\"")).unwrap();
    assert!(sum.starts_with("hits_total{pod=\"__overflow__\"} 5 "), "{printed}");
    let told: serde_json::Value = serde_json::from_slice(&folded.run(&["--json"]).stdout).unwrap();
    assert_eq!((&told["folded"], &told["policies"][0]["series_folded"]), (&4.into(), &2.into()));
}

#[test]
fn times_that_look_like_seconds_are_named() {
    let warned = |text: &str| {
        let case = Case::of("{ name: n, match: noise, action: drop }", text);
        String::from_utf8(case.run(&[]).stderr).unwrap()
    };
    assert!(
        warned("up 1 1700000000\n").contains("these look like seconds"),
        "{}",
        warned("up 1 1700000000\n")
    );
    assert_eq!(warned("up 1 1700000000000\n"), "");
}

#[test]
fn what_cannot_be_read_is_named() {
    for (content, told) in [
        (&b"up{a=1} 1 1\n"[..], "in/x:1:6: expected `\"`\n  up{a=1} 1 1"),
        (b"\xff\xfe\x00", "in/x: neither text nor a remote-write body"),
    ] {
        let output = Case::new(&[("x", content)]).run(&["--print"]);
        assert!(!output.status.success());
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(told), "{error}");
    }
}

/// A scrape a minute of two pods; each line is a series without its pod, and by what it grows.
fn pods(lines: &[(&str, &str, u64)]) -> String {
    let line = |pod: &str, minute: u64, name: &str, labels: &str, by: u64| {
        format!("{name}{{pod=\"{pod}\"{labels}}} {} {}\n", by * minute, 10_000 + minute * 60_000)
    };
    let scrape = |minute: u64| {
        let of = |pod| lines.iter().map(move |(name, labels, by)| line(pod, minute, name, labels, *by));
        of("a").chain(of("b")).collect::<String>()
    };
    (0..6).map(scrape).collect()
}

/// The last value of each series.
fn last(printed: &str) -> Vec<(&str, &str)> {
    let mut last: Vec<(&str, &str)> = Vec::new();
    for line in printed.lines() {
        let mut words = line.rsplitn(3, ' ');
        let (_, value, series) = (words.next(), words.next().unwrap(), words.next().unwrap());
        last.retain(|(known, _)| *known != series);
        last.push((series, value));
    }
    last
}

#[test]
fn buckets_of_different_bounds_are_never_added_up() {
    let text = pods(&[
        ("lat_seconds_bucket", ",le=\"0.5\"", 1),
        ("lat_seconds_bucket", ",le=\"1\"", 2),
        ("lat_seconds_bucket", ",le=\"+Inf\"", 3),
        ("lat_seconds_count", "", 3),
        ("lat_seconds_sum", "", 1),
    ]);
    for keys in ["by: [namespace]", "by: []", "without: [pod, le]", "without: [pod], collapse: [le]"] {
        let policy = format!("{{ name: c, match: '{{__name__=~\"lat.+\"}}', action: aggregate, {keys} }}");
        let printed = Case::of(&policy, &text).prints(&[]);
        let expected = [
            ("lat_seconds_bucket{le=\"+Inf\"}", "30"),
            ("lat_seconds_bucket{le=\"0.5\"}", "10"),
            ("lat_seconds_bucket{le=\"1.0\"}", "20"),
            ("lat_seconds_count", "30"),
            ("lat_seconds_sum", "10"),
        ];
        assert_eq!(last(&printed), expected, "{keys}");
    }
}

#[test]
fn a_bound_in_two_spellings_is_one() {
    let bucket = |spelling: &'static str, by| ("lat_seconds_bucket", spelling, by);
    let of = |pod: &str, text: String| {
        text.lines().filter(|line| line.contains(pod)).map(|line| line.to_owned() + "\n").collect::<String>()
    };
    let a = pods(&[bucket(",le=\"1\"", 12), bucket(",le=\"+Inf\"", 15)]);
    let b = pods(&[bucket(",le=\"1.0\"", 12), bucket(",le=\"inf\"", 15)]);
    let case = Case::with(
        "upstreams: [ { name: a, url: 'http://h/w' } ]\n\
         policies: [ { name: h, match: lat_seconds_bucket, action: aggregate, without: [pod] } ]\n",
        &[("1.txt", merged(&of("pod=\"a\"", a), &of("pod=\"b\"", b)).as_bytes())],
    );
    let printed = case.prints(&[]);
    let expected = [("lat_seconds_bucket{le=\"+Inf\"}", "150"), ("lat_seconds_bucket{le=\"1.0\"}", "120")];
    assert_eq!(last(&printed), expected);
}

/// The lines of two texts in the order of their times.
fn merged(a: &str, b: &str) -> String {
    let mut lines: Vec<&str> = a.lines().chain(b.lines()).collect();
    lines.sort_by_key(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap());
    lines.join("\n") + "\n"
}

#[test]
fn what_lost_its_bound_or_its_replica_to_rules_is_held_back_not_added_up() {
    let collect = |rule: &str| {
        format!(
            "{{ name: c, action: relabel, on_collision: aggregate, type: counter, \
             relabel_configs: [ {{ action: labeldrop, regex: {rule} }} ] }}"
        )
    };
    let buckets = pods(&[
        ("lat_seconds_bucket", ",le=\"1\"", 2),
        ("lat_seconds_bucket", ",le=\"+Inf\"", 3),
        ("lat_seconds_count", "", 3),
    ]);
    let case = Case::of(&collect("le|pod"), &buckets);
    // the first bucket has the identity, the other three are held back; the counts are added up as ever
    let expected = [("lat_seconds_bucket", "10"), ("lat_seconds_count", "30")];
    assert_eq!(last(&case.prints(&[])), expected);
    let told: serde_json::Value = serde_json::from_slice(&case.run(&["--json"]).stdout).unwrap();
    assert_eq!((&told["collisions"], &told["aggregated"]), (&18.into(), &12.into()));
    // a pair of agents: one goes on, and nothing is twice the truth
    for label in ["__replica__", "prometheus_replica", "replica"] {
        let pair = pods(&[("hits_total", "", 4)]).replace("pod=", &format!("{label}="));
        let printed = Case::of(&collect(label), &pair).prints(&[]);
        assert_eq!(last(&printed), [("hits_total", "20")], "{label}");
        let aggregated = "{ name: r, action: relabel, relabel_configs: [ { action: labeldrop, regex: LABEL } ] }, \
                          { name: c, match: hits_total, action: aggregate, without: [pod] }";
        let printed = Case::of(&aggregated.replace("LABEL", label), &pair).prints(&[]);
        assert_eq!(last(&printed), [("hits_total", "20")], "{label}, then aggregated");
    }
}

#[test]
fn metrics_that_pass_for_want_of_a_type_are_named() {
    let text = pods(&[("memory_bytes", "", 1), ("queue_length", "", 1), ("hits_total", "", 1)]);
    let names = "match: '{__name__=~\".+\"}', action: aggregate, without: [pod]";
    let case = Case::of(&format!("{{ name: c, {names} }}"), &text);
    let told: serde_json::Value = serde_json::from_slice(&case.run(&["--json"]).stdout).unwrap();
    assert_eq!(told["untyped"], serde_json::json!(["memory_bytes", "queue_length"]));
    let text = String::from_utf8(case.run(&[]).stdout).unwrap();
    assert!(text.contains("nothing says what they are: memory_bytes, queue_length\n"), "{text}");
    assert!(text.contains("`type: gauge`"), "{text}");
    let gauges = pods(&[("memory_bytes", "", 1)]);
    let case = Case::of(&format!("{{ name: c, {names}, type: gauge }}"), &gauges);
    let told: serde_json::Value = serde_json::from_slice(&case.run(&["--json"]).stdout).unwrap();
    assert_eq!(told["untyped"], serde_json::json!([]));
    assert_eq!(last(&case.prints(&[])), [("memory_bytes", "10")]);
}

#[test]
fn what_is_left_of_a_run_ends_half_an_hour_after_it_in_the_time_of_its_samples() {
    // a page every minute; the run is over with the second
    let due = 29_707_814;
    let page = |minute: i64| {
        let at = (due + minute) * 60_000;
        let job = format!("{{job_name=\"sync-{due}\",namespace=\"shop\"");
        let owner = format!("kube_job_owner{job},owner_kind=\"CronJob\",owner_name=\"sync\"}} 1 {at}\n");
        let active = format!("kube_job_status_active{job}}} {} {at}\n", i64::from(minute == 0));
        let done = format!("kube_job_complete{job},condition=\"true\"}} 1 {at}\n");
        format!("{owner}{active}{}up 1 {at}\n", if minute > 0 { done } else { String::new() })
    };
    let text: String = (0..40).map(page).collect();
    let history = "{ name: history, workload: { kind: cronjob, run_finished_for: 30m }, action: drop }";
    let case = Case::of(history, &text);
    let told = case.prints(&[]);
    let of = |metric: &str| -> Vec<&str> {
        let lines = told.lines().filter(|line| line.starts_with(metric));
        lines.map(|line| line.rsplit(' ').nth(1).unwrap()).collect()
    };
    let ended = |values: &[&'static str]| [values, &["StaleNaN"]].concat();
    assert_eq!(of("kube_job_owner"), ended(&["1"; 31]));
    assert_eq!(of("kube_job_complete"), ended(&["1"; 30]));
    assert_eq!(of("kube_job_status_active"), ended(&[&["1"][..], &["0"; 30]].concat()));
    assert_eq!(of("up"), ["1"; 40]);
    let summary = case.run(&["--json"]);
    let summary: serde_json::Value = serde_json::from_slice(&summary.stdout).unwrap();
    assert_eq!(summary["policies"][0]["series_dropped"], 3, "{summary}");
}

#[test]
fn rules_read_the_workload_that_the_recording_names() {
    let owner = "kube_job_owner{job_name=\"by-hand\",namespace=\"shop\",owner_kind=\"CronJob\",owner_name=\"sync\"} 1";
    let pod = "kube_pod_owner{pod=\"by-hand-x2b7q\",namespace=\"shop\",owner_kind=\"Job\",owner_name=\"by-hand\"} 1";
    let memory = "memory{pod=\"by-hand-x2b7q\",namespace=\"shop\"} 7";
    let text: String =
        [60_000, 120_000].map(|at| format!("{owner} {at}\n{pod} {at}\n{memory} {at}\nup 1 {at}\n")).concat();
    let rules = "{ name: app, match: memory, action: relabel, relabel_configs: [ { action: replace, source_labels: \
                 [__workload_kind__, __workload__], separator: /, target_label: app } ] }";
    let told = Case::of(rules, &text).prints(&[]);
    let lines: Vec<&str> = told.lines().filter(|line| line.starts_with("memory")).collect();
    assert_eq!(lines.len(), 2, "{told}");
    assert!(lines.iter().all(|line| line.contains("app=\"cronjob/sync\"")), "{told}");
    assert!(!told.contains("__workload"), "{told}");
}

#[test]
fn a_run_whose_values_stand_still_is_withheld_in_the_time_of_its_samples() {
    // it was due long ago, nothing says how it stands, and one of its two values moves for ten minutes
    let page = |minute: i64| {
        let at = (29_707_900 + minute) * 60_000;
        let of = "{namespace=\"shop\",pod=\"sync-29707814-x7k2p\"}";
        format!("cpu{of} {} {at}\nmemory{of} 7 {at}\nup 1 {at}\n", minute.min(10))
    };
    let text: String = (0..45).map(page).collect();
    let still = "{ name: still, workload: { kind: cronjob, unchanged_for: 30m }, action: drop }";
    let told = Case::of(still, &text).prints(&[]);
    let sent = |metric: &str| told.lines().filter(|line| line.starts_with(metric)).count();
    // the last of the 41 is the stale marker
    assert_eq!([sent("cpu"), sent("memory"), sent("up")], [41, 41, 45], "{told}");
    assert_eq!(told.matches("StaleNaN").count(), 2, "{told}");
}
