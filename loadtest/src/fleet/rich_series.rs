//! Series of exemplars and native histograms: rare beside plain samples, so they are written anew each time.

use super::spelled::{Draft, Said, Spelled, Spelling};
use crate::body::{bytes_key, framed_len, put_head, put_varint};
use crate::law::STALE_MARKER;
use crate::names::{self, Seed};
use crate::protocol::Version;
use crate::rich::Rich;
use crate::version2::{Request, hash};

/// A series with its labels.
pub(super) struct RichSeries {
    labels: Labels,
    what: Rich,
}

enum Labels {
    /// As the wire of 1.0 has them.
    Head(Vec<u8>),
    Spelled(Spelled),
}

impl RichSeries {
    pub(super) fn new(labels: &[(&str, &str)], what: Rich, version: Version) -> Self {
        if version == Version::Two {
            let mut spelling = Spelling::default();
            spelling.push(labels, Said::default());
            return Self { labels: Labels::Spelled(spelling.finish()), what };
        }
        let mut head = Vec::new();
        put_head(&mut head, labels, 0);
        // only the labels: the length in front depends on what comes behind
        let skip = 1 + head[1..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
        Self { labels: Labels::Head(head.split_off(skip)), what }
    }

    pub(super) fn what(&self) -> Rich {
        self.what
    }

    /// Appends the series as it is at a time, to a body of 1.0 or to a draft of 2.0; its last if it has ended. Exemplars do not
    /// end. Returns the message of the exemplar or histogram as 1.0 has it, which is what has to arrive unchanged.
    pub(super) fn put(
        &self,
        (out, draft): (&mut Vec<u8>, &mut Draft),
        timestamp_ms: i64,
        ended: bool,
    ) -> Option<Vec<u8>> {
        let exemplar = match self.what {
            Rich::Exemplar { .. } if ended => return None,
            Rich::Exemplar { seed } => Some(Exemplar::new(seed, timestamp_ms)),
            Rich::Histogram { .. } => None,
        };
        let message = match (self.what, &exemplar) {
            (Rich::Histogram { since_s, per_second }, _) => {
                let age_s = (timestamp_ms.div_euclid(1000) - since_s).max(0) as f64;
                histogram((age_s * per_second) as u64, timestamp_ms, ended)
            }
            (_, exemplar) => exemplar.as_ref().map(Exemplar::message).unwrap_or_default(),
        };
        match &self.labels {
            Labels::Head(head) => {
                out.push(bytes_key(1));
                put_varint(out, (head.len() + framed_len(message.len())) as u64);
                out.extend_from_slice(head);
                put_message(out, if exemplar.is_some() { 3 } else { 4 }, &message);
            }
            Labels::Spelled(spelled) => {
                draft.locate(spelled);
                match &exemplar {
                    Some(exemplar) => {
                        let message = exemplar.message_of_2_0(&mut draft.request);
                        draft.series(spelled, 0, (4, &message));
                    }
                    None => draft.series(spelled, 0, (3, &message)),
                }
            }
        }
        Some(message)
    }
}

/// An exemplar with a trace's id.
struct Exemplar {
    id: String,
    /// Value and time, as both versions have them.
    rest: Vec<u8>,
}

impl Exemplar {
    fn new(seed: Seed, timestamp_ms: i64) -> Self {
        let seed = seed.child(timestamp_ms.unsigned_abs());
        let mut rest = Vec::new();
        put_double(&mut rest, 2, (seed.unit() * 1e4).round() / 1e4);
        put_number(&mut rest, 3, timestamp_ms.cast_unsigned());
        Self { id: names::hex64(seed)[..32].to_owned(), rest }
    }

    fn message(&self) -> Vec<u8> {
        let mut label = Vec::new();
        put_message(&mut label, 1, b"trace_id");
        put_message(&mut label, 2, self.id.as_bytes());
        let mut out = Vec::new();
        put_message(&mut out, 1, &label);
        out.extend_from_slice(&self.rest);
        out
    }

    /// Its texts in the table of a request.
    fn message_of_2_0(&self, request: &mut Request) -> Vec<u8> {
        let (mut refs, mut out) = (Vec::new(), Vec::new());
        for text in ["trace_id", &self.id] {
            put_varint(&mut refs, request.position(hash(text), text).into());
        }
        put_message(&mut out, 1, &refs);
        out.extend_from_slice(&self.rest);
        out
    }
}

/// prometheus.Histogram: count 1, sum 3, schema 4, zero threshold 5, zero count 6, positive spans 11, positive deltas 12,
/// timestamp 15. A histogram that ends is told by its sum.
fn histogram(observations: u64, timestamp_ms: i64, ended: bool) -> Vec<u8> {
    let zigzag = |value: i64| ((value << 1) ^ (value >> 63)).cast_unsigned();
    let counts = [observations / 2, observations / 4, observations / 8];
    let rest = observations - counts.iter().sum::<u64>();
    let counts = [counts[0], counts[1], counts[2], rest].map(u64::cast_signed);
    let mut out = Vec::new();
    put_number(&mut out, 1, observations);
    put_double(&mut out, 3, if ended { STALE_MARKER } else { observations as f64 * 1.25 });
    put_number(&mut out, 4, zigzag(3));
    put_double(&mut out, 5, 1e-128);
    put_number(&mut out, 6, 0);
    put_message(&mut out, 11, &[1 << 3, zigzag(0) as u8, 2 << 3, counts.len() as u8]);
    let mut deltas = Vec::new();
    let mut before = 0;
    for count in counts {
        put_varint(&mut deltas, zigzag(count - before));
        before = count;
    }
    put_message(&mut out, 12, &deltas);
    put_number(&mut out, 15, timestamp_ms.cast_unsigned());
    out
}

fn put_message(out: &mut Vec<u8>, field: u8, message: &[u8]) {
    out.push(bytes_key(field));
    put_varint(out, message.len() as u64);
    out.extend_from_slice(message);
}

fn put_number(out: &mut Vec<u8>, field: u8, value: u64) {
    out.push(field << 3);
    put_varint(out, value);
}

fn put_double(out: &mut Vec<u8>, field: u8, value: f64) {
    out.push(field << 3 | 1);
    out.extend_from_slice(&value.to_le_bytes());
}
