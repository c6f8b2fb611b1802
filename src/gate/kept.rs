//! What a queue keeps of a request in front of its body: all that is needed to send it later as it would have been sent at once.

use std::ops::Range;

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

use crate::codec::Encoding;
use crate::pipeline::Counts;
use crate::record::{Put as _, SnapshotError, Source};
use crate::wire::{Form, Message};

/// What is written, and the last that is known.
const VERSION: u32 = 1;

/// See above.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    /// What is in the body of what an upstream counts.
    pub(crate) counts: Counts,
    /// Bytes of it as remote write 1.0, decoded, as far as that is known.
    pub(crate) plain_bytes: u64,
    /// Why the upstream refused it; empty while it waits.
    pub(crate) reason: String,
    /// The form of the body.
    pub(crate) form: Form,
    /// With what it may go out in one request: with its like; `None`: alone.
    pub(crate) joins: Option<u64>,
    /// Where its data lands.
    pub(crate) scope: String,
    /// Query string of the request, without `?`.
    pub(crate) query: Option<String>,
    /// Headers of the request that go on.
    pub(crate) headers: HeaderMap,
}

impl Kept {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        out.put_u32(VERSION);
        for count in [self.counts.samples, self.counts.histograms, self.counts.exemplars, self.plain_bytes] {
            out.put_u64(count);
        }
        out.put_bytes(self.reason.as_bytes());
        out.push(u8::from(self.form.message == Message::V2));
        out.push(u8::from(self.form.encoding == Encoding::Zstd));
        out.push(u8::from(self.joins.is_some()));
        out.put_u64(self.joins.unwrap_or_default());
        out.put_bytes(self.scope.as_bytes());
        out.push(u8::from(self.query.is_some()));
        out.put_bytes(self.query.as_deref().unwrap_or_default().as_bytes());
        out.put_u32(self.headers.len() as u32);
        for (name, value) in &self.headers {
            out.put_bytes(name.as_str().as_bytes());
            out.put_bytes(value.as_bytes());
        }
        out
    }

    /// Also says where in it that stands in which requests have to be alike to go out as one.
    ///
    /// # Errors
    /// If another version wrote it, or it is none.
    pub(crate) fn decode(raw: &[u8]) -> Result<(Self, Range<usize>), SnapshotError> {
        let mut source = Source::new(raw);
        let version = source.u32()?;
        if version != VERSION {
            return Err(SnapshotError::Version { found: version, known: VERSION });
        }
        let counts = Counts { samples: source.u64()?, histograms: source.u64()?, exemplars: source.u64()? };
        let plain_bytes = source.u64()?;
        let reason = source.text()?.to_owned();
        let common = raw.len() - source.len()..raw.len();
        let message = if source.u8()? == 1 { Message::V2 } else { Message::V1 };
        let encoding = if source.u8()? == 1 { Encoding::Zstd } else { Encoding::Snappy };
        let may_join = source.u8()? == 1;
        let joins = Some(source.u64()?).filter(|_| may_join);
        let scope = source.text()?.to_owned();
        let has_query = source.u8()? == 1;
        let query = Some(source.text()?.to_owned()).filter(|_| has_query);
        let mut headers = HeaderMap::new();
        for _ in 0..source.u32()? {
            let (name, value) = (source.bytes()?, source.bytes()?);
            let name = HeaderName::from_bytes(name).map_err(|_| SnapshotError::Damaged("a header's name"))?;
            let value =
                HeaderValue::from_bytes(value).map_err(|_| SnapshotError::Damaged("a header's value"))?;
            headers.append(name, value);
        }
        let form = Form { message, encoding };
        Ok((Self { counts, plain_bytes, reason, form, joins, scope, query, headers }, common))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_was_written_and_what_is_alike_is_alike() {
        let mut headers = HeaderMap::new();
        headers.append("x-scope-orgid", HeaderValue::from_bytes(b"m\xe4x").unwrap());
        headers.append("accountid", HeaderValue::from_static("7"));
        let kept = Kept {
            counts: Counts { samples: 1, histograms: 2, exemplars: 3 },
            plain_bytes: 4,
            reason: String::new(),
            form: Form { message: Message::V2, encoding: Encoding::Zstd },
            joins: Some(0),
            scope: "größe\n?db=1".to_owned(),
            query: Some(String::new()),
            headers,
        };
        let raw = kept.encode();
        let (read, common) = Kept::decode(&raw).unwrap();
        assert_eq!(read, kept);
        let other =
            Kept { counts: Counts::default(), plain_bytes: 9, reason: "why".to_owned(), ..kept.clone() };
        let other = other.encode();
        let common_of_other = Kept::decode(&other).unwrap().1;
        assert_eq!(raw[common.clone()], other[common_of_other]);
        for different in [Kept { joins: None, ..kept.clone() }, Kept { query: None, ..kept.clone() }] {
            let different = different.encode();
            let other = Kept::decode(&different).unwrap().1;
            assert_ne!(raw[common.clone()], different[other]);
        }
        for length in 0..raw.len() {
            assert!(Kept::decode(&raw[..length]).is_err(), "cut at {length}");
        }
    }
}
