//! Which of several things that say when a counter began is believed.

use seriesgate_proto::{Label, TimeSeries, WriteRequest};

use crate::rig::Rig;
use crate::steps::*;

const DAYS: i64 = 3 * 86_400;

fn labelled(name: &str, labels: &[(&str, &str)], at: i64, value: f64) -> TimeSeries {
    let mut series = series(name, "db-0", &[(at, value)]);
    series
        .labels
        .extend(labels.iter().map(|(name, value)| Label { name: (*name).into(), value: (*value).into() }));
    series.labels.sort_by(|a, b| a.name.cmp(&b.name));
    series
}

fn at(second: i64) -> f64 {
    (T / 1000 + second) as f64
}

/// What `counter` is in the end, that is new at 105 and for which `says` says when it began.
fn grown(counter: &str, says: impl Fn(i64) -> Vec<TimeSeries>) -> String {
    let mut rig: Rig = rig();
    for second in (0..=240).step_by(15) {
        let others = (0..8).map(|pod| series("x_total", &pod.to_string(), &[(second, 1e6)]));
        let of_container = [("container", "c"), ("job", "a"), ("namespace", "n")];
        let own = (second >= 105).then(|| labelled(counter, &of_container, second, 57.0));
        let says = if second >= 105 { says(second) } else { Vec::new() };
        rig.deliver(&WriteRequest::of(others.chain(own).chain(says).collect()));
    }
    let output = rig.finish();
    let points = output.iter().find(|(series, _)| series.starts_with(counter)).unwrap().1;
    points.last().unwrap().1.clone()
}

#[test]
fn a_container_that_begins_anew_says_nothing_of_what_is_counted_of_its_pod() {
    let of = [("container", "c"), ("job", "a"), ("namespace", "n")];
    let says = |second| {
        vec![
            labelled("container_start_time_seconds", &of, second, at(70)),
            labelled("kube_pod_created", &of[1..], second, at(-DAYS)),
        ]
    };
    assert_eq!(grown("kube_pod_container_status_restarts_total", says), "0");
    assert_eq!(grown("container_cpu_usage_seconds_total", says), "57", "this one begins with it");
}

#[test]
fn the_process_of_an_exporter_says_nothing_of_containers() {
    let of = [("container", "c"), ("job", "a"), ("namespace", "n")];
    let says = |second| {
        vec![
            labelled("container_start_time_seconds", &of, second, at(-DAYS)),
            labelled("process_start_time_seconds", &of[1..], second, at(100)),
        ]
    };
    assert_eq!(grown("container_cpu_usage_seconds_total", says), "0");
}

#[test]
fn a_process_that_begins_after_the_first_sample_of_a_counter_is_not_the_one_it_counted_in() {
    let says = |started: fn(i64) -> i64| {
        move |second| {
            let of = [("job", "a"), ("namespace", "n")];
            vec![labelled("process_start_time_seconds", &of, second, at(started(second)))]
        }
    };
    // it was there for days, and begins again three seconds after it is seen first
    assert_eq!(grown("hits_total", says(|second| if second < 120 { -DAYS } else { 108 })), "0");
    // it had begun again, and shows that with the next scrape only
    assert_eq!(grown("hits_total", says(|second| if second < 120 { -DAYS } else { 103 })), "57");
}

/// What `hits_total` is in the end, that is new at 105, has samples up to `last`, and `says` at these times that it began
/// then; the gate is started again at `restart`.
fn grown_over_a_restart(restart: i64, last: i64, says: &[(i64, i64)]) -> String {
    let mut rig: Rig = rig();
    for second in (0..=300).step_by(15) {
        let of = [("job", "a"), ("namespace", "n")];
        let others = (0..8).map(|pod| series("x_total", &pod.to_string(), &[(second, 1e6)]));
        let own = (105..=last).contains(&second).then(|| labelled("hits_total", &of, second, 57.0));
        let said = says.iter().filter(|(when, _)| *when == second);
        let said = said.map(|(_, began)| labelled("process_start_time_seconds", &of, second, at(*began)));
        rig.deliver(&WriteRequest::of(others.chain(own).chain(said).collect()));
        if second == restart {
            rig.restart();
        }
    }
    let output = rig.finish();
    let points = output.iter().find(|(series, _)| series.starts_with("hits_total")).unwrap().1;
    points.last().unwrap().1.clone()
}

#[test]
fn what_is_open_over_a_restart_is_born_only_if_a_start_says_so_or_it_goes_on_without_one() {
    assert_eq!(grown_over_a_restart(105, 105, &[]), "0", "it ended before it could say when it began");
    assert_eq!(grown_over_a_restart(105, 300, &[]), "57", "it goes on, and nothing speaks against it");
    assert_eq!(grown_over_a_restart(105, 105, &[(105, 100)]), "57", "it was said before");
    assert_eq!(grown_over_a_restart(150, 300, &[(210, -DAYS)]), "0", "it has a minute again to say so");
}
