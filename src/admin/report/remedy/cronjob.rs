//! What the names of a CronJob's runs are like, as Kubernetes makes them.

use regex::Regex;

use crate::series::{SubjectKind, quote};

/// Letters that the name of a pod takes from that of its job and a dash; five random ones follow (Kubernetes'
/// `maxGeneratedNameLength`).
const KEPT_OF_A_JOB: usize = 58;
/// Digits in the name of a run: minutes since 1970, or seconds before Kubernetes 1.21.
const MINUTES: usize = 8;
const SECONDS: usize = 10;
/// Letters that the index of an Indexed job's pod takes, with its dashes.
const INDEX: usize = 7;

/// What the names of a CronJob's jobs, or of their pods, are like.
pub(super) fn of_a_run(cronjob: &str, kind: SubjectKind) -> String {
    let name = quote::regex(cronjob);
    match kind {
        SubjectKind::Job => format!("{name}-[0-9]{{{MINUTES},{SECONDS}}}"),
        SubjectKind::Pod => pod_of_a_run(&name, KEPT_OF_A_JOB.saturating_sub(1 + cronjob.chars().count())),
    }
}

/// What the names of pods are like, where `room` letters are left of a job's name behind the CronJob's and a dash.
fn pod_of_a_run(name: &str, room: usize) -> String {
    // an Indexed job's pods keep the index, and less of the job's name
    let left = room.saturating_sub(INDEX);
    if left >= SECONDS {
        return format!("{name}-[0-9]{{{MINUTES},{SECONDS}}}(?:-[0-9]{{1,6}})?-[a-z0-9]{{5}}");
    }
    // of long names the dash is cut, or what is before it
    let digits = |room: usize| format!("[0-9]{{{},{SECONDS}}}", MINUTES.min(room));
    let dash = |room: usize, above: usize| if room > above { "-" } else { "-?" };
    let plain = format!("-{}{}", digits(room), dash(room, SECONDS));
    let indexed = format!("{}{}-[0-9]{{1,6}}-", dash(left, 0), digits(left));
    format!("{name}(?:{plain}|{indexed})[a-z0-9]{{5}}")
}

/// A line that says which runs have other names, as those that people start have; empty where none is known.
pub(super) fn left(cronjob: &str, runs: &[String]) -> String {
    let Ok(regex) = Regex::new(&format!("^(?:{})$", of_a_run(cronjob, SubjectKind::Job))) else {
        return String::new();
    };
    let others: Vec<_> =
        runs.iter().filter(|run| !regex.is_match(run)).map(|run| quote::shown(run)).collect();
    match others.is_empty() {
        true => String::new(),
        false => format!("# runs of other names are not taken: {}\n", others.join(", ")),
    }
}
