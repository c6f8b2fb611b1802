//! When a run is over: its job decides, and its pods where nothing is said of the job.

use super::rig::{Labels, Page, Watch, labels};

const JOB: &str = "sync-29707814";

fn of_job(metric: &str, more: &[(&str, &str)]) -> Labels {
    labels(&[&[("__name__", metric), ("namespace", "ops"), ("job_name", JOB)], more].concat())
}

/// The phases of a pod of the job.
fn pod(random: &str, phase: &str) -> Page {
    let name = format!("{JOB}-{random}");
    let of = |one: &str| {
        let pairs =
            [("__name__", "kube_pod_status_phase"), ("namespace", "ops"), ("phase", one), ("pod", &name)];
        (labels(&pairs), f64::from(u8::from(one == phase)))
    };
    ["Pending", "Running", "Succeeded", "Failed", "Unknown"].map(of).into()
}

/// What is said of the job: how many of its pods are active, and what it came to.
fn job(active: u32, done: Option<&str>) -> Page {
    let mut page = Page::from([
        (of_job("kube_job_info", &[]), 1.0),
        (of_job("kube_job_status_active", &[]), f64::from(active)),
    ]);
    for condition in ["true", "false", "unknown"] {
        if let Some(metric) = done {
            let on = f64::from(u8::from(condition == "true"));
            page.insert(of_job(metric, &[("condition", condition)]), on);
        }
    }
    page
}

/// Scrapes a page of these parts; how many runs are reported and over then?
fn after(watch: &mut Watch, parts: &[Page]) -> (u32, u32) {
    watch.wait(1);
    watch.scrape(&parts.iter().flatten().map(|(labels, value)| (labels.clone(), *value)).collect());
    watch.runs("sync").unwrap()
}

#[test]
fn a_job_that_tries_again_goes_on() {
    let mut watch = Watch::warm();
    let failed = pod("x7k2p", "Failed");
    assert_eq!(after(&mut watch, &[job(1, None), pod("x7k2p", "Running")]), (1, 0));
    assert_eq!(after(&mut watch, &[job(0, None), failed.clone()]), (1, 0), "it waits to try again");
    assert_eq!(after(&mut watch, &[job(1, None), failed.clone(), pod("b2c4d", "Running")]), (1, 0));
    let both = [failed, pod("b2c4d", "Failed")].concat_pages();
    assert_eq!(after(&mut watch, &[job(0, None), both.clone()]), (1, 0));
    assert_eq!(after(&mut watch, &[job(0, Some("kube_job_failed")), both.clone()]), (1, 1));
    assert_eq!(after(&mut watch, &[job(0, Some("kube_job_failed"))]), (1, 1), "its pods are gone, it stays");
    assert_eq!(after(&mut watch, &[]), (0, 0));
}

#[test]
fn one_of_several_pods_does_not_end_a_job() {
    let mut watch = Watch::warm();
    let pods = |phases: [&str; 3]| {
        [pod("x7k2p", phases[0]), pod("b2c4d", phases[1]), pod("zzzzz", phases[2])].concat_pages()
    };
    let running = pods(["Running"; 3]);
    assert_eq!(after(&mut watch, &[job(3, None), running.clone()]), (1, 0));
    assert_eq!(after(&mut watch, &[job(2, None), pods(["Succeeded", "Running", "Running"])]), (1, 0));
    let succeeded = pods(["Succeeded"; 3]);
    assert_eq!(after(&mut watch, &[job(1, None), succeeded.clone()]), (1, 0), "the fourth is not seen yet");
    assert_eq!(after(&mut watch, &[job(0, Some("kube_job_complete")), succeeded.clone()]), (1, 1));
    // a list of allowed metrics has left out what the job came to
    assert_eq!(after(&mut watch, &[job(0, None), succeeded]), (1, 1));
    assert_eq!(after(&mut watch, &[job(3, None), running]), (1, 0));
}

#[test]
fn without_series_of_the_job_its_pods_decide() {
    let mut watch = Watch::warm();
    assert_eq!(after(&mut watch, &[pod("x7k2p", "Running"), pod("b2c4d", "Running")]), (1, 0));
    assert_eq!(after(&mut watch, &[pod("x7k2p", "Succeeded"), pod("b2c4d", "Running")]), (1, 0));
    assert_eq!(after(&mut watch, &[pod("x7k2p", "Succeeded"), pod("b2c4d", "Failed")]), (1, 1));
    assert_eq!(after(&mut watch, &[pod("x7k2p", "Succeeded")]), (1, 1));
    assert_eq!(after(&mut watch, &[pod("x7k2p", "Succeeded"), pod("zzzzz", "Pending")]), (1, 0));
    // what was said of the job before does not count once it is gone
    assert_eq!(after(&mut watch, &[job(1, None), pod("x7k2p", "Succeeded")]), (1, 0));
    assert_eq!(after(&mut watch, &[pod("x7k2p", "Succeeded")]), (1, 1));
}

#[test]
fn what_ended_and_comes_back_says_what_it_says_then() {
    let mut watch = Watch::warm();
    let over = [job(0, Some("kube_job_complete")), pod("x7k2p", "Succeeded")];
    assert_eq!(after(&mut watch, &over), (1, 1));
    assert_eq!(after(&mut watch, &[]), (0, 0), "its exporter is gone for a while");
    assert_eq!(after(&mut watch, &over), (1, 1));
    assert_eq!(after(&mut watch, &[]), (0, 0));
    assert_eq!(
        after(&mut watch, &[job(1, None), pod("x7k2p", "Running")]),
        (1, 0),
        "another of the same name"
    );
    assert_eq!(after(&mut watch, &over), (1, 1));
}

trait ConcatPages {
    fn concat_pages(self) -> Page;
}

impl<const N: usize> ConcatPages for [Page; N] {
    fn concat_pages(self) -> Page {
        self.into_iter().flatten().collect()
    }
}
