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
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("gate.yaml"), POLICIES).unwrap();
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
