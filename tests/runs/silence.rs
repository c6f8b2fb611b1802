//! Runs that vanish without a stale marker.

use super::rig::{Labels, Page, Watch, labels};

fn of_run(run: u32) -> Page {
    let name = format!("sync-{}", 29_707_800 + run);
    let job = |metric: &str, value| {
        (labels(&[("__name__", metric), ("job_name", &name), ("namespace", "ops")]), value)
    };
    let complete =
        [("__name__", "kube_job_complete"), ("condition", "true"), ("job_name", &name), ("namespace", "ops")];
    [job("kube_job_info", 1.0), job("kube_job_status_active", 0.0), (labels(&complete), 1.0)].into()
}

fn runs(numbers: std::ops::Range<u32>) -> Page {
    numbers.flat_map(of_run).chain([node()]).collect()
}

/// Something else that the agent sends.
fn node() -> (Labels, f64) {
    (labels(&[("__name__", "node_load1"), ("instance", "worker-1:9100")]), 1.0)
}

fn scrape_for(watch: &mut Watch, minutes: u32, page: &Page) {
    for _ in 0..minutes {
        watch.wait(1);
        watch.scrape(page);
    }
}

#[test]
fn what_vanished_while_the_agent_was_down_is_not_reported() {
    let mut watch = Watch::warm();
    scrape_for(&mut watch, 10, &runs(0..10));
    assert_eq!(watch.runs("sync"), Some((10, 10)));
    watch.wait(9);
    assert_eq!(watch.runs("sync"), Some((10, 10)), "nobody says anything: nothing is known");
    // it comes back under another address, and does not know what it sent before
    watch.restart();
    scrape_for(&mut watch, 4, &runs(7..10));
    assert_eq!(watch.runs("sync"), Some((10, 10)), "it may still have to say more");
    scrape_for(&mut watch, 3, &runs(7..10));
    assert_eq!(watch.runs("sync"), Some((3, 3)));
    let line = watch.workload("cronjob", "sync").unwrap();
    assert_eq!((line.counts.active, line.series_of_runs_over), (30, 9), "they are forgotten in their time");
    // and are counted once when that comes
    scrape_for(&mut watch, 20, &runs(7..10));
    let line = watch.workload("cronjob", "sync").unwrap();
    assert_eq!((line.runs, line.runs_over, line.counts.active, line.counts.expired), (3, 3, 9, 21));
}

#[test]
fn what_is_silent_for_a_while_is_reported_again() {
    let mut watch = Watch::warm();
    scrape_for(&mut watch, 10, &runs(0..10));
    watch.restart();
    scrape_for(&mut watch, 8, &runs(5..10));
    assert_eq!(watch.runs("sync"), Some((5, 5)));
    scrape_for(&mut watch, 2, &runs(0..10));
    assert_eq!(watch.runs("sync"), Some((10, 10)));
    assert_eq!(watch.workload("cronjob", "sync").unwrap().new_runs_last_hour, 10, "they are no new ones");
}

#[test]
fn who_is_scraped_seldom_is_not_silent() {
    let mut watch = Watch::warm();
    for minute in 0..40 {
        watch.wait(1);
        // every four minutes
        let page = if minute % 4 == 0 { runs(0..10) } else { Page::from([node()]) };
        watch.send(page.into_iter().collect());
        if minute > 8 {
            assert_eq!(watch.runs("sync"), Some((10, 10)), "minute {minute}");
        }
    }
}
