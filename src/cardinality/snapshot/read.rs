//! Taking the data: each shard of a table is locked for as long as its own records are copied.

use ahash::AHashSet;

use super::{
    CauseLine, Counts, EndedRuns, LabelLine, Line, LossLine, NodeLine, TableUsage, Usage, WorkloadLine,
};
use crate::cardinality::evidence::Ending;
use crate::cardinality::nodes::Loss;
use crate::cardinality::record_table::{OTHERS, Record, RecordTable};
use crate::cardinality::records::Label;
use crate::cardinality::series_counts::{LastHour, SeriesCounts};
use crate::cardinality::sketch::{Distinct, Top};
use crate::cardinality::tracker::Tracker;
use crate::series::index::WINDOW_SECONDS;

/// Runs whose values have not moved for so many windows, and that are that much older than due, are taken to be over.
const SILENT_WINDOWS: u32 = 1;
/// After so many minutes it is known of a run that it vanished: see [`crate::cardinality::walk`].
const VANISHED_AFTER_MINUTES: u32 = 7;

fn counts(series_counts: &SeriesCounts, now: u32) -> Counts {
    let minute = series_counts.hour.in_last(1, now);
    Counts {
        active: u64::from(series_counts.active),
        learned: series_counts.learned,
        new: series_counts.new,
        new_last_minute: u64::from(minute.max(series_counts.hour.in_last(2, now) - minute)),
        new_last_hour: u64::from(series_counts.hour.in_last(60, now)),
        ended: series_counts.ended,
        expired: series_counts.expired,
        lifetimes: series_counts.lifetimes(),
        samples_per_series: series_counts.samples_per_series(),
    }
}

impl Tracker {
    /// All metrics, in no order.
    pub fn metrics(&self, now: u32) -> Vec<Line> {
        let mut lines = Vec::with_capacity(self.metrics.len() + 1);
        self.metrics.each(|_, metric| {
            lines.push(Line {
                tenant: metric.tenant,
                name: metric.name.to_string(),
                counts: counts(&metric.series_counts, now),
            });
        });
        lines
    }

    /// All senders, in no order; the name is their address.
    pub fn senders(&self, now: u32) -> Vec<Line> {
        let mut lines = Vec::with_capacity(self.senders.len() + 1);
        self.senders.each(|_, sender| {
            let name = sender.address.map(|address| address.to_string()).unwrap_or_default();
            lines.push(Line { tenant: sender.tenant, name, counts: counts(&sender.series_counts, now) });
        });
        lines
    }

    /// All workloads that have had series of their own.
    pub fn workloads(&self, now: u32) -> Vec<WorkloadLine> {
        let mut lines = Vec::with_capacity(self.workloads.len() + 1);
        let mut marking = AHashSet::new();
        self.senders.each(|number, sender| {
            if sender.series_counts.ended > 0 {
                marking.insert(number);
            }
        });
        self.workloads.each(|number, workload| {
            // what was only guessed has none left once more is known
            if number != OTHERS && !workload.series_counts.has_counted() {
                return;
            }
            lines.push(WorkloadLine {
                number,
                tenant: workload.tenant,
                cluster: workload.cluster.to_string(),
                cluster_label: workload.cluster_label,
                labels: workload.labels.iter().map(|used| self.subjects.labels(*used)).collect(),
                namespace: workload.namespace.to_string(),
                kind: workload.kind,
                name: workload.name.to_string(),
                counts: counts(&workload.series_counts, now),
                is_marked: workload.senders.iter().all(|sender| marking.contains(sender)),
                runs: workload.runs,
                runs_over: if workload.runs_end() { workload.runs_over.iter().sum() } else { 0 },
                runs_kept: [0; Ending::ALL.len()],
                history_limits: workload.history_limits,
                beyond_limits_since: workload.beyond_limits_since,
                ended_runs: Ending::ALL.map(|ending| EndedRuns {
                    kept: workload.kept[ending as usize].in_last(60, now),
                    cleaned: workload.cleaned[ending as usize].in_last(60, now),
                }),
                stretches_with_ended_runs: LastHour::busy_stretches_of(&workload.kept, now),
                runs_silent: 0,
                runs_untold: 0,
                newest_runs: workload.new_runs.in_last(VANISHED_AFTER_MINUTES, now),
                series_of_runs_over: 0,
                new_runs_last_hour: workload.new_runs.in_last(60, now),
                series_of_new_runs_last_hour: workload.series_of_new_runs.in_last(60, now),
                pods: workload.pods.counts(now),
                runs_growth_per_hour: workload.trend.an_hour(),
                runs_over_examples: Vec::new(),
            });
        });
        lines.sort_unstable_by_key(|line| line.number);
        self.add_runs(&mut lines, now);
        lines
    }

    /// Adds to workloads, sorted by number, what only their runs know.
    fn add_runs(&self, lines: &mut [WorkloadLine], now: u32) {
        let mut newest: Vec<Vec<(u32, Box<str>)>> = vec![Vec::new(); lines.len()];
        self.units.each(|number, unit| {
            let Some(run) = unit.run.as_ref().filter(|_| number != OTHERS && unit.is_reported()) else {
                return;
            };
            let Ok(at) = lines.binary_search_by_key(&unit.workload, |line| line.number) else { return };
            if !lines[at].runs_end() {
                return;
            }
            lines[at].runs_untold += u32::from(unit.said.is_empty());
            let due = unit.scheduled.is_some_and(|due| due.saturating_add(2 * WINDOW_SECONDS) < now);
            if let Some(ending) = unit.said.ending() {
                lines[at].runs_kept[ending as usize] += u32::from(unit.is_seen());
                newest[at].push((unit.came, run.clone()));
                newest[at].sort_unstable_by(|a, b| b.cmp(a));
                newest[at].truncate(3);
            } else if due && unit.silence.windows >= SILENT_WINDOWS {
                lines[at].runs_silent += 1;
            } else {
                return;
            }
            lines[at].series_of_runs_over += u64::from(unit.reported_series());
        });
        for (line, newest) in lines.iter_mut().zip(newest) {
            line.runs_over_examples = newest.into_iter().map(|(_, run)| run.into()).collect();
        }
    }

    /// What new series of the last hour are new by, most first.
    pub fn causes(&self, now: u32) -> Vec<CauseLine> {
        let mut found = Vec::new();
        self.causes.each(|number, cause| {
            let (blamed, first) = (cause.blamed.in_last(60, now), cause.first.in_last(60, now));
            if number != OTHERS && blamed + first > 0 {
                let line = CauseLine {
                    tenant: 0,
                    metric: String::new(),
                    workload: cause.workload,
                    labels: cause.labels.iter().map(ToString::to_string).collect(),
                    pattern: cause.pattern.to_string(),
                    blamed_last_hour: u64::from(blamed),
                    first_last_hour: u64::from(first),
                };
                found.push((cause.metric, line));
            }
        });
        let mut lines: Vec<CauseLine> = found
            .into_iter()
            .map(|(metric, line)| {
                self.metrics.with(metric, |metric| CauseLine {
                    tenant: metric.tenant,
                    metric: metric.name.to_string(),
                    ..line
                })
            })
            .collect();
        lines.sort_unstable_by(|a, b| {
            let weight = |line: &CauseLine| line.blamed_last_hour + line.first_last_hour;
            weight(b)
                .cmp(&weight(a))
                .then_with(|| (&a.metric, a.workload, &a.labels).cmp(&(&b.metric, b.workload, &b.labels)))
        });
        lines
    }

    /// All labels but the metric name, in no order, with their `top` values.
    pub fn labels(&self, top: usize) -> Vec<LabelLine> {
        let mut lines = Vec::with_capacity(self.labels.len());
        self.labels.each(|number, label| {
            if number != OTHERS {
                lines.push(label_line(label, top));
            }
        });
        lines
    }

    /// All nodes that something is known of, in no order.
    pub fn nodes(&self) -> Vec<NodeLine> {
        let mut lines = Vec::new();
        self.nodes.each(|number, node| {
            if number != OTHERS {
                lines.push(NodeLine {
                    tenant: node.tenant,
                    cluster: node.cluster.to_string(),
                    name: node.name.to_string(),
                    from: loss_line(&node.from),
                    of: loss_line(&node.of),
                    exists: node.exists(),
                    gone_since: node.gone_since,
                });
            }
        });
        lines
    }

    /// How full everything is.
    pub fn usage(&self) -> Usage {
        let sketch_bytes = self.sketch_bytes();
        let (records, text_bytes) = self.examples_kept();
        let (values, value_bytes, refused) = self.values.usage();
        Usage {
            tables: [
                of("metrics", &self.metrics),
                of("workloads", &self.workloads),
                of("runs", &self.units),
                of("senders", &self.senders),
                of("labels", &self.labels),
                of("nodes", &self.nodes),
                of("causes", &self.causes),
                TableUsage { what: "examples", records, text_bytes, refused: 0 },
                TableUsage { what: "values", records: values, text_bytes: value_bytes, refused },
            ],
            owners: self.owners.len(),
            sketch_bytes,
            filters_dropped: self.known.dropped(),
        }
    }
}

fn of<R: Record>(what: &'static str, table: &RecordTable<R>) -> TableUsage {
    TableUsage { what, records: table.len(), text_bytes: table.text_bytes(), refused: table.refused() }
}

fn loss_line(loss: &Loss) -> LossLine {
    LossLine {
        reported: loss.reported[0].max(loss.reported[1]),
        losing: loss.losing,
        // what is of no workload does not count as one
        workloads: loss.workloads.iter().filter(|workload| **workload != OTHERS).count(),
        since: loss.since,
    }
}

fn label_line(label: &Label, top: usize) -> LabelLine {
    LabelLine {
        tenant: label.tenant,
        name: label.name.to_string(),
        values: Distinct::union_estimate(&label.values[0], &label.values[1]),
        series: label.top[0].total().max(label.top[1].total()),
        top: Top::larger(&label.top[0], &label.top[1], top),
        bytes: label.sketch_bytes(),
    }
}
