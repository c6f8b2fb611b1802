//! The labels that a table of subjects asks a series for, found in one pass.

use std::cmp::Ordering;

use super::{KNOWN_ROWS, LabelRow, LabelsUsed, NAMESPACE, Subject, SubjectKind, SubjectTable};
use crate::series::Labels;

/// Labels that a table can ask for: four of each row, and [`NAMESPACE`].
const MOST: usize = 4 * (SubjectTable::MAX_ROWS + KNOWN_ROWS) + 1;

/// The values of the labels that a table asks for, in the order of their names; empty where a series has none.
pub(super) struct Values<'l> {
    labels: Labels<'l>,
    /// Which label of the series that is, plus one.
    places: [u16; MOST],
}

impl<'l> Values<'l> {
    fn get(&self, at: usize) -> &'l str {
        let place = usize::from(self.places[at]).checked_sub(1);
        place.and_then(|place| self.labels.at(place)).map_or("", |(_, value)| value)
    }
}

/// The labels of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Their names, sorted, and [`NAMESPACE`].
    names: Box<[Box<str>]>,
    rows: Box<[Places]>,
    namespace_at: usize,
}

/// Where the labels of a row stand among all; none where it has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Places {
    namespace: Option<usize>,
    pod: Option<usize>,
    job: Option<usize>,
    container: Option<usize>,
}

impl Asked {
    /// The labels of these rows.
    pub(super) fn about(rows: &[LabelRow]) -> Self {
        let of_rows = rows.iter().flat_map(|row| [&*row.namespace, &row.pod, &row.job, &row.container]);
        let mut names: Vec<Box<str>> = of_rows.chain([NAMESPACE]).map(Box::from).collect();
        names.retain(|name| !name.is_empty());
        names.sort_unstable();
        names.dedup();
        let at = |name: &str| names.binary_search_by(|asked| (**asked).cmp(name)).ok();
        let rows = rows.iter().map(|LabelRow { namespace, pod, job, container }| Places {
            namespace: at(namespace),
            pod: at(pod),
            job: at(job),
            container: at(container),
        });
        let (rows, namespace_at) = (rows.collect(), at(NAMESPACE).unwrap_or_default());
        Self { rows, namespace_at, names: names.into() }
    }

    /// Whether a label is among them.
    pub(super) fn has(&self, label: &str) -> bool {
        self.names.binary_search_by(|name| (**name).cmp(label)).is_ok()
    }

    /// Finds them among the labels of a series, which are sorted as well.
    pub(super) fn values<'l>(&self, labels: Labels<'l>) -> Values<'l> {
        let mut places = [0; MOST];
        let mut at = 0;
        for ((label, _), place) in labels.iter().zip(1..=u16::MAX) {
            // most names differ in their first byte, which saves a call for each
            let first = label.as_bytes().first();
            while let Some(name) = self.names.get(at) {
                match name.as_bytes().first().cmp(&first).then_with(|| (**name).cmp(label)) {
                    Ordering::Less => at += 1,
                    Ordering::Equal => {
                        places[at] = place;
                        break;
                    }
                    Ordering::Greater => break,
                }
            }
        }
        Values { labels, places }
    }

    /// The namespace by the label of a row; empty where a series has none.
    pub(super) fn namespace<'l>(&self, row: usize, values: &Values<'l>) -> &'l str {
        self.rows[row].namespace.map_or("", |at| values.get(at))
    }

    /// Whether a series has a label of this row that only a scrape's renaming makes.
    pub(super) fn is_renamed(&self, row: usize, values: &Values<'_>) -> bool {
        let Places { namespace, pod, job, container } = self.rows[row];
        let has = |at: usize| !values.get(at).is_empty() && self.names[at].starts_with("exported_");
        [namespace, pod, job, container].into_iter().flatten().any(has)
    }

    /// The pod or the job that the labels of a row name.
    pub(super) fn read<'l>(&self, kind: SubjectKind, row: usize, values: &Values<'l>) -> Option<Subject<'l>> {
        let Places { namespace, pod, job, container } = self.rows[row];
        let value = |at: Option<usize>| at.map(|at| values.get(at)).filter(|value| !value.is_empty());
        let (name, container) = match kind {
            SubjectKind::Pod => (value(pod)?, value(container).unwrap_or("")),
            SubjectKind::Job => (value(job)?, ""),
        };
        let (namespace, used) = match (value(namespace), values.get(self.namespace_at)) {
            (Some(namespace), _) => (namespace, 0),
            (None, "") => ("", 2),
            (None, namespace) => (namespace, 1),
        };
        let labels = LabelsUsed(row as u16 * 6 + kind as u16 * 3 + used);
        Some(Subject { kind, name, namespace, container, labels })
    }
}
