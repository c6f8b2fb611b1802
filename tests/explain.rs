//! `seriesgate explain`, as it is run.

#![allow(clippy::unwrap_used)] // a test may panic, also outside of the test function

use std::process::Command;

/// Exit status, standard output, standard error.
fn explain(options: &[&str]) -> (Option<i32>, String, String) {
    explain_with("series: { subject_labels: [ { pod: task } ] }", options)
}

fn explain_with(config: &str, options: &[&str]) -> (Option<i32>, String, String) {
    explain_whole(&format!("upstreams: [ {{ name: a, url: 'http://h/w' }} ]\n{config}\n"), options)
}

fn explain_whole(config: &str, options: &[&str]) -> (Option<i32>, String, String) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gate.yaml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
    let command = command.current_dir(dir.path()).args(["explain", "--config", "gate.yaml"]);
    let output = command.args(options).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_series_that_cannot_be_read_is_an_error_in_plain_text() {
    let (code, out, err) = explain(&["up{job=", "up"]);
    assert_eq!((code, out.as_str()), (Some(1), "up\n  => forward (no policy ended the walk)\n"));
    assert!(err.starts_with("up{job=: "), "{err}");
    assert!(err.lines().count() == 1 && !err.contains("{\"error\""), "{err}");
}

#[test]
fn a_limit_is_answered_as_if_it_admitted_the_series() {
    let config = "policies: [ { name: few, match: up, action: limit, max_series: 1 } ]";
    let (code, out, _) = explain_with(config, &["up{job=\"a\"}", "down"]);
    assert_eq!(code, Some(0));
    let (up, down) = out.split_once("\ndown").unwrap();
    assert!(up.contains("few") && up.contains("matches: limit") && up.contains("=> forward"), "{out}");
    assert!(up.contains("as if there were room with `few`"), "{out}");
    assert!(!down.contains("as if there were room"), "{out}");
    let (_, out, _) = explain_with(config, &["--json", "up"]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&answer["verdict"], &answer["policy"]),
        (&"forward".into(), &serde_json::Value::Null),
        "{out}"
    );
    assert_eq!(
        (&answer["steps"][0]["effect"], &answer["steps"][0]["action"]),
        (&"limit".into(), &"limit".into()),
        "{out}"
    );
}

#[test]
fn values_that_the_upstream_does_not_take_are_named() {
    let config = |more: &str| {
        let rename = "relabel_configs: [ { source_labels: [v], target_label: w } ]";
        format!(
            "upstreams: [ {{ name: a, url: 'http://h/w', max_label_value: 32B{more} }} ]\n\
             policies: [ {{ name: r, match: m, action: relabel, {rename} }} ]\n"
        )
    };
    let long = "v".repeat(33);
    let (short, of_rules) = (format!("n{{v=\"{}\"}}", &long[1..]), format!("m{{v=\"{long}\"}}"));
    let (number, name) = (format!("n{{le=\"{long}\"}}"), "n".repeat(33));
    let told = |more: &str, series: &str| explain_whole(&config(more), &[series]).1;
    assert!(!told("", &short).contains("note"), "{}", told("", &short));
    assert!(
        told("", &of_rules).contains("note: what is sent of the value of `v` and `w` is cut"),
        "{}",
        told("", &of_rules)
    );
    assert!(told("", &name).contains("`__name__` is cut"), "{}", told("", &name));
    // as it would be another number
    assert!(told("", &number).contains("=> reject (long_label_value: "), "{}", told("", &number));
    for series in [&of_rules, &name] {
        let out = told(", long_values: drop", series);
        assert!(out.contains("=> reject (long_label_value: ") && !out.contains("is cut"), "{out}");
    }
    let (_, out, _) = explain_whole(&config(", long_values: drop"), &["--json", &of_rules]);
    let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&answer["verdict"], &answer["reason"], &answer["output"]),
        (&"reject".into(), &"long_label_value".into(), &serde_json::Value::Null),
        "{out}"
    );
}

#[test]
fn with_json_each_series_has_its_answer_on_standard_output() {
    let (code, out, err) = explain(&["--json", "up{job=", "up"]);
    assert_eq!((code, err.as_str()), (Some(1), ""));
    let lines: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0]["error"].is_string() && lines[1]["verdict"] == "forward", "{out}");
}

/// What kube-state-metrics says of a DaemonSet's pod, and of a job that was made by hand from a CronJob.
const STATE: &str = r#"# TYPE kube_pod_owner gauge
kube_pod_owner{namespace="shop",pod="agent-2-x2b7q",owner_kind="DaemonSet",owner_name="agent-2"} 1
kube_pod_owner{namespace="shop",pod="by-hand-x2b7q",owner_kind="Job",owner_name="by-hand"} 1
kube_job_owner{namespace="shop",job_name="by-hand",owner_kind="CronJob",owner_name="sync"} 1
kube_pod_owner{cluster_id="eu",namespace="shop",pod="agent-3-x2b7q",owner_kind="DaemonSet",owner_name="agent-3"} 1
"#;

#[test]
fn owners_of_a_recording_beat_the_name_and_without_them_the_answer_says_what_it_does_not_know() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ksm.prom");
    std::fs::write(&file, STATE).unwrap();
    let owners = ["--owners", file.to_str().unwrap()];
    let vague = "its name does not tell what made it; give --owners a recording of kube-state-metrics";
    let unsaid = "the recording names no owner of it: this is what its name says";
    for (pod, by_name, by_owner) in [
        ("agent-2-x2b7q", ("generated agent", Some(vague)), ("daemonset agent-2, by its owner", None)),
        (
            "by-hand-x2b7q",
            ("generated by-hand", Some(vague)),
            ("cronjob sync, run by-hand, by its owner", None),
        ),
        ("toolbox", ("unknown", Some(vague)), ("unknown", Some(unsaid))),
        (
            "web-7d764666f9-qdcxt",
            ("deployment web, run web-7d764666f9", None),
            ("deployment web, run web-7d764666f9", Some(unsaid)),
        ),
    ] {
        let series = format!("up{{namespace=\"shop\",pod=\"{pod}\"}}");
        for (options, (words, note)) in [(&[][..], by_name), (&owners[..], by_owner)] {
            let (code, out, err) = explain(&[options, &[&series]].concat());
            assert_eq!((code, err.as_str()), (Some(0), ""));
            let workload = format!("  {:<24} {words}\n", "workload");
            let note_line = note.map(|note| format!("  {:<24}   {note}\n", "")).unwrap_or_default();
            assert!(out.contains(&format!("{workload}{note_line}  =>")), "{out}");
            let (_, out, _) = explain(&[&["--json"], options, &[&series]].concat());
            let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
            assert_eq!(answer["workload_note"].as_str(), note, "{out}");
            let by = answer["workload"].get("by").and_then(|by| by.as_str());
            let owner = words.ends_with("by its owner");
            assert_eq!(by, (words != "unknown").then_some(if owner { "owner" } else { "name" }), "{out}");
        }
    }
    let (_, out, _) = explain(&["up{job=\"api\"}"]);
    assert!(!out.contains("workload"), "{out}");
}

#[test]
fn a_recording_without_owners_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("up.prom");
    std::fs::write(&file, "up 1\n").unwrap();
    let (code, out, err) = explain(&["--owners", file.to_str().unwrap(), "up"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(err.starts_with("--owners: no series in the recording names an owner"), "{err}");
    let (code, _, err) = explain(&["--owners", "absent.prom", "up"]);
    assert!(code == Some(1) && err.starts_with("--owners: absent.prom"), "{err}");
}

#[test]
fn the_labels_of_the_config_name_pods_and_any_label_of_clusters_tells_them_apart() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ksm.prom");
    std::fs::write(&file, STATE).unwrap();
    for (labels, expected) in [
        (r#"namespace="shop",task="agent-2-x2b7q""#, "daemonset agent-2, by its owner"),
        (r#"cluster_id="eu",namespace="shop",pod="agent-3-x2b7q""#, "daemonset agent-3, by its owner"),
        (r#"namespace="shop",pod="agent-3-x2b7q""#, "generated agent"),
    ] {
        let (_, out, _) = explain(&["--owners", file.to_str().unwrap(), &format!("up{{{labels}}}")]);
        assert!(out.contains(&format!("{:<24} {expected}\n", "workload")), "{labels}: {out}");
    }
    let (_, out, _) = explain(&[r#"up{task="web-7d764666f9-qdcxt"}"#]);
    assert!(out.contains("deployment web, run web-7d764666f9\n"), "{out}");
}

#[test]
fn the_config_may_stand_before_the_series_as_check_has_it() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("gate.yaml"), "upstreams: [ { name: a, url: 'http://h/w' } ]\n").unwrap();
    let explain = |given: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_seriesgate"));
        let output = command.current_dir(dir.path()).arg("explain").args(given).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = explain(&["gate.yaml", "up"]);
    assert_eq!(
        (code, out.as_str(), err.as_str()),
        (Some(0), "up\n  => forward (no policy ended the walk)\n", "")
    );
    let (code, out, err) = explain(&["up"]);
    assert_eq!((code, out.as_str()), (Some(2), ""));
    assert_eq!(err, "explain needs a config file: type `seriesgate explain FILE 'up{job=\"a\"}'`\n");
}

#[test]
fn what_a_policy_asks_of_workloads_is_answered_as_far_as_it_is_known() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ksm.prom");
    std::fs::write(&file, STATE).unwrap();
    let policies = "policies:\n  \
        - { name: history, workload: { kind: cronjob, name: sync, run_finished_for: 30m }, action: drop }\n  \
        - { name: kept, workload: { kind: cronjob, keep_runs: 1 }, action: drop }\n  \
        - { name: daemons, workload: { kind: daemonset }, action: drop }";
    let note = "how its run stands, which runs are newer and when its values changed is not known here, and asked by `history` and `kept`";
    let answer = |now: &str, pod: &str| -> serde_json::Value {
        let series = format!("x{{namespace=\"shop\",pod=\"{pod}\"}}");
        let options = ["--json", "--owners", file.to_str().unwrap(), "--now", now, &series];
        let (code, out, err) = explain_with(policies, &options);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        serde_json::from_str(&out).unwrap()
    };
    // it was due at 10:14
    for (now, pod, verdict, noted) in [
        ("2026-06-26T10:43:59Z", "sync-29707814-h2f28", "forward", true),
        ("2026-06-26T10:44:00Z", "sync-29707814-h2f28", "drop", true),
        ("2026-06-26T10:44:00Z", "async-29707814-h2f28", "forward", true),
        ("2026-06-26T10:44:00Z", "by-hand-x2b7q", "forward", true),
        ("2026-06-26T10:44:00Z", "agent-2-x2b7q", "drop", false),
        ("2026-06-26T10:44:00Z", "toolbox", "forward", false),
    ] {
        let answer = answer(now, pod);
        assert_eq!(answer["verdict"], verdict, "{answer}");
        let told = answer["note"].as_str().unwrap_or_default();
        assert_eq!(!told.is_empty(), noted, "{answer}");
        let whole = pod.starts_with("by-hand");
        assert!(!whole || told.starts_with(note), "{told}");
    }
    let series = "x{pod=\"sync-29707814-h2f28\"}";
    let (_, out, _) = explain_with(policies, &["--now", "2026-06-26T10:43:59Z", series]);
    assert!(
        out.contains("\n  history                  does not match, by what it asks of the workload\n"),
        "{out}"
    );
    assert!(out.contains(&format!("\n     note: {note}: ")), "{out}");
}

#[test]
fn labels_that_are_only_there_to_be_read_are_known_as_far_as_the_workload_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("ksm.prom");
    std::fs::write(&file, STATE).unwrap();
    let policies = "policies:\n  \
        - { name: app, action: relabel, relabel_configs: [ { source_labels: [__workload__], target_label: app } ] }\n  \
        - { name: cron, match: '{__workload_kind__=\"cronjob\"}', action: drop }";
    // its name says nothing, its owner does
    for (owners, pod, app, verdict) in [
        (true, "by-hand-x2b7q", "sync", "drop"),
        (true, "toolbox", "", "forward"),
        (false, "sync-29707814-h2f28", "sync", "drop"),
        (false, "web-7d764666f9-qdcxt", "web", "forward"),
    ] {
        let series = format!("x{{namespace=\"shop\",pod=\"{pod}\"}}");
        let given = ["--owners", file.to_str().unwrap()];
        let options: Vec<&str> =
            ["--json"].into_iter().chain(given.into_iter().filter(|_| owners)).chain([&*series]).collect();
        let (code, out, err) = explain_with(policies, &options);
        assert_eq!((code, err.as_str()), (Some(0), ""));
        let answer: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(answer["verdict"], verdict, "{answer}");
        assert_eq!(answer["steps"][0]["labels"]["app"].as_str().unwrap_or_default(), app, "{answer}");
    }
}
