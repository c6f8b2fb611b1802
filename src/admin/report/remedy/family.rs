//! What the names of runs are like that were generated from the name of their workload, and those of their pods.

use crate::cardinality::Culprit;
use crate::series::grammar::Kind;
use crate::series::{SubjectKind, quote};

/// Letters and digits of the random part of a name that Kubernetes generates.
const RANDOM: &str = "[bcdfghjklmnpqrstvwxz2456789]{5}";
/// What a pod keeps of the name of its Job and a dash, bytes: longer names are cut, and say less.
const KEPT: usize = 58;
/// Lengths of the numbers that stand for a moment: minutes, seconds, `YYYYmmddHHMM`, milliseconds, `YYYYmmddHHMMSS`, nanoseconds.
/// A day, `YYYYmmdd`, is as long as minutes.
const MOMENTS: [usize; 6] = [8, 10, 12, 13, 14, 19];
/// Eight letters and digits with a digit among them: a word of eight letters is no run.
const MIXED_EIGHT: usize = 8;

/// The runs of one workload.
pub(super) struct Family {
    kind: Kind,
    /// A regex for the names of runs.
    run: String,
    /// Whether its runs are Jobs.
    of_jobs: bool,
}

impl Family {
    /// By the names of some of its runs; none where they do not say what others are like.
    pub(super) fn of(culprit: &Culprit, runs: &[String]) -> Option<Self> {
        let mut endings: Vec<String> = Vec::new();
        let is_cut = |run: &String| matches!(culprit.kind, Kind::Job | Kind::Generated) && run.len() >= KEPT;
        if runs.iter().any(is_cut) {
            return None;
        }
        for run in runs {
            let ending = ending(culprit.kind, run.strip_prefix(&culprit.name)?)?;
            if !endings.contains(&ending) {
                endings.push(ending);
            }
        }
        endings.sort_unstable();
        let run = match &endings[..] {
            [] => return None,
            [one] => format!("{}{one}", quote::regex(&culprit.name)),
            several => format!("{}(?:{})", quote::regex(&culprit.name), several.join("|")),
        };
        let of_jobs = culprit.labels.iter().any(|labels| labels.kind == SubjectKind::Job);
        Some(Self { kind: culprit.kind, run, of_jobs })
    }

    /// What the names of its jobs, or of its pods, are like.
    pub(super) fn names(&self, kind: SubjectKind) -> String {
        let run = &self.run;
        if kind == SubjectKind::Job {
            return run.clone();
        }
        match self.kind {
            Kind::Airflow | Kind::GitlabRunner if !self.of_jobs => run.clone(),
            Kind::Argo => format!("{run}(?:-(?:.+-)?[0-9]{{1,10}})?"),
            Kind::Spark => format!("{run}-(?:driver|(?:[0-9a-f]{{16}}-)?exec-[0-9]+)"),
            Kind::Tekton => format!("{run}-(?:.+-)?pod(?:-retry[0-9]+|-{RANDOM})?"),
            _ => format!("{run}(?:-[0-9]{{1,6}})?-{RANDOM}"),
        }
    }
}

/// What stands behind the name of a workload in the name of a run, as a regex: what was made at random, or a moment.
fn ending(kind: Kind, ending: &str) -> Option<String> {
    if kind == Kind::GitlabRunner {
        return ending.starts_with("-concurrent-").then(|| "-concurrent-[0-9]+-?[a-z0-9]{5,8}".to_owned());
    }
    let (separator, made) = ending.split_at_checked(1)?;
    let all = |is: fn(&u8) -> bool| made.as_bytes().iter().all(is);
    let is_hex = all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let class = match made.len() {
        len if all(u8::is_ascii_digit) && MOMENTS.contains(&len) => format!("[0-9]{{{len}}}"),
        5 if all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => RANDOM.to_owned(),
        15 if is_day_and_time(made) => "[0-9]{8}-[0-9]{6}".to_owned(),
        MIXED_EIGHT if all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) => mixed_eight(),
        len @ (16 | 32) if is_hex => format!("[0-9a-f]{{{len}}}"),
        _ => return None,
    };
    matches!(separator, "-" | ".").then(|| format!("{}{class}", quote::regex(separator)))
}

/// Whether this is `YYYYmmdd-HHMMSS`.
fn is_day_and_time(made: &str) -> bool {
    let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    made.split_once('-').is_some_and(|(day, time)| day.len() == 8 && digits(day) && digits(time))
}

/// Letters, the first digit, and what follows it.
fn mixed_eight() -> String {
    let repeated = |class: &str, times: usize| match times {
        0 => String::new(),
        times => format!("{class}{{{times}}}"),
    };
    let of = |letters| {
        let (before, after) = (repeated("[a-z]", letters), repeated("[a-z0-9]", MIXED_EIGHT - 1 - letters));
        format!("{before}[0-9]{after}")
    };
    format!("(?:{})", (0..MIXED_EIGHT).map(of).collect::<Vec<_>>().join("|"))
}
