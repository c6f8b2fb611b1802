//! What a sender says about its metrics: their families, with type and help, once a minute.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::body::{bytes_key, framed_len, put_text, put_varint};
use crate::law::{Kind, Law};

/// Time between two requests, in milliseconds (`metadata_config.send_interval` of Prometheus).
const EVERY_MS: i64 = 60_000;
/// Families that are told of at most: one request of Prometheus holds 2,000.
const MAX_FAMILIES: usize = 2000;

/// Numbers of prometheus.MetricMetadata.MetricType.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Type {
    Counter = 1,
    Gauge = 2,
    Histogram = 3,
}

/// The families seen so far.
#[derive(Default)]
pub(super) struct Families {
    types: BTreeMap<String, Type>,
    told_ms: Option<i64>,
}

impl Families {
    /// Learns of a series; returns the type of its family by number, and the family.
    pub(super) fn see<'a>(&mut self, labels: &[(&str, &'a str)], law: &Law) -> Option<(u8, &'a str)> {
        let &(_, name) = labels.iter().find(|label| label.0 == "__name__")?;
        let bucket = name.strip_suffix("_bucket");
        let family = bucket.or_else(|| {
            let part = ["_count", "_sum"].iter().find_map(|end| name.strip_suffix(end))?;
            // only where there are buckets is it a part of a histogram
            (self.types.get(part) == Some(&Type::Histogram)).then_some(part)
        });
        let kind = match (family, law.kind()) {
            (Some(_), _) => Type::Histogram,
            (None, Kind::Counter) => Type::Counter,
            (None, Kind::Gauge) => Type::Gauge,
        };
        let family = family.unwrap_or(name);
        if !self.types.contains_key(family) && self.types.len() < MAX_FAMILIES {
            self.types.insert(family.to_owned(), kind);
        }
        Some((kind as u8, family))
    }

    /// The request that is due at a time, compressed.
    pub(super) fn body(&mut self, at_ms: i64) -> Option<Bytes> {
        if self.types.is_empty() || self.told_ms.is_some_and(|told_ms| at_ms < told_ms + EVERY_MS) {
            return None;
        }
        self.told_ms = Some(at_ms);
        let mut raw = Vec::new();
        for (family, kind) in &self.types {
            let help = help(family);
            raw.push(bytes_key(3));
            put_varint(&mut raw, (2 + framed_len(family.len()) + framed_len(help.len())) as u64);
            raw.extend([1 << 3, *kind as u8]);
            put_text(&mut raw, 2, family);
            put_text(&mut raw, 4, &help);
        }
        let packed = snap::raw::Encoder::new().compress_vec(&raw);
        Some(packed.expect("two thousand names are far below 4 GiB").into())
    }
}

/// What is said of a family.
pub(super) fn help(family: &str) -> String {
    format!("What {} counts or measures.", family.replace('_', " "))
}
