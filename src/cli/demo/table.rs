//! What the demo shows at its end.

use std::collections::BTreeMap;
use std::fmt::Write;

use seriesgate_loadtest::sink::Stats;

use super::{Offered, with_commas};

/// Runs and series of one cronjob.
#[derive(Default)]
struct CronJob {
    runs: u64,
    series: u64,
}

/// The table and the sentence below it.
pub(super) fn render(offered: &Offered, before: &Stats, after: &Stats) -> String {
    let mut out =
        format!("{:<26}{:>16}{:>16}{:>16}{:>10}\n", "", "sent by agent", "no policy", "with policy", "saved");
    let distinct = before.distinct_series;
    let rows = [
        ("series (distinct)", distinct, distinct, after.distinct_series),
        ("samples", offered.samples, before.samples, after.samples),
        ("bytes on the wire", offered.wire_bytes, before.wire_bytes, after.wire_bytes),
    ];
    for (what, sent, plain, policy) in rows {
        row(&mut out, what, sent, plain, policy);
    }
    let mut jobs: Vec<(String, CronJob)> = cronjobs(before).into_iter().collect();
    jobs.sort_by_key(|(_, job)| std::cmp::Reverse(job.series));
    for (name, job) in &jobs {
        put(
            &mut out,
            format_args!("\n  cronjob {name}: {} runs, {} series", job.runs, with_commas(job.series)),
        );
    }
    if let Some((name, job)) = jobs.first() {
        put(
            &mut out,
            format_args!(
                "\n\nCronjob `{name}` did it: each run names its pod anew, and the agent never forgets one.\n\
                 {} of {} series that reached the backend were pods of its past runs ({}%).",
                with_commas(job.series),
                with_commas(distinct),
                percent(job.series, distinct),
            ),
        );
    }
    out
}

fn row(out: &mut String, what: &str, sent: u64, plain: u64, policy: u64) {
    let saved = percent(plain.saturating_sub(policy), plain);
    let (sent, plain, policy) = (with_commas(sent), with_commas(plain), with_commas(policy));
    put(out, format_args!("{what:<26}{sent:>16}{plain:>16}{policy:>16}{saved:>9}%\n"));
}

/// Series by cronjob, from the pod names that reached the backend: `<cronjob>-<8 digits>-<5 characters>`.
fn cronjobs(stats: &Stats) -> BTreeMap<String, CronJob> {
    let mut jobs: BTreeMap<String, CronJob> = BTreeMap::new();
    for (pod, series) in &stats.groups {
        if let Some(name) = cronjob_of(pod) {
            let job = jobs.entry(name.to_owned()).or_default();
            job.runs += 1;
            job.series += series;
        }
    }
    jobs
}

fn cronjob_of(pod: &str) -> Option<&str> {
    let (run, suffix) = pod.rsplit_once('-')?;
    let (name, minutes) = run.rsplit_once('-')?;
    let dated = minutes.len() == 8 && minutes.bytes().all(|b| b.is_ascii_digit());
    (dated && suffix.len() == 5).then_some(name)
}

fn percent(part: u64, whole: u64) -> u64 {
    (part * 100).checked_div(whole).unwrap_or(0)
}

/// Writing to a string cannot fail.
fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(text);
    debug_assert!(written.is_ok());
}
