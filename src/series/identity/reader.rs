//! Reading the label sets of one body, one after the other.

use std::ops::Range;

use super::{Form, Invalid, Limits, checked, read};
use crate::wire::WireError;
use crate::wire::labels::{LabelRun, canonical_len};

/// Reads label sets of one body. Neighbours have most of their labels in common: a label of the same bytes as the one
/// that stood in its place before is not read again, and its text stays borrowed from where it stood then. So text of two
/// sets that stands at one address is the same, which is known without looking at it.
///
/// What it says is what [`read`] says of each set.
pub struct Reader<'b> {
    body: &'b [u8],
    pairs: Vec<(&'b str, &'b str)>,
    /// The bytes of each label of the set before; none where that was not canonical.
    before: Vec<&'b [u8]>,
}

impl<'b> Reader<'b> {
    /// A reader that has read nothing yet; allocates once it has.
    pub fn new(body: &'b [u8]) -> Self {
        Self { body, pairs: Vec::new(), before: Vec::new() }
    }

    /// The labels that were read last: sorted, valid, without empty values.
    pub fn pairs(&self) -> &[(&'b str, &'b str)] {
        &self.pairs
    }

    /// Reads the labels in `body[run]`.
    ///
    /// # Errors
    /// Outer: the bytes are not protobuf. Inner: they are, but no series can have these labels.
    pub fn read(&mut self, run: Range<usize>, limits: &Limits) -> Result<Result<Form, Invalid>, WireError> {
        if self.follows(run.clone(), limits) {
            return Ok(Ok(Form::Canonical));
        }
        self.before.clear();
        let form = read(self.body, run.clone(), limits, &mut self.pairs)?;
        if form == Ok(Form::Canonical) {
            self.note(run.start);
        }
        Ok(form)
    }

    /// Reads labels that have the names of the set before, in canonical form; `false` if they do not, and then what was read
    /// before is no more.
    fn follows(&mut self, run: Range<usize>, limits: &Limits) -> bool {
        if self.before.is_empty() {
            return false;
        }
        let mut rest = &self.body[run];
        for (bytes, pair) in self.before.iter_mut().zip(&mut self.pairs) {
            if !rest.starts_with(bytes) {
                let Some((own, value)) = value_of(rest, pair.0, limits) else { return false };
                (*bytes, pair.1) = (own, value);
            }
            rest = &rest[bytes.len()..];
        }
        rest.is_empty()
    }

    /// Notes where each label of a canonical set stands, the first one at `at`.
    fn note(&mut self, mut at: usize) {
        for (name, value) in &self.pairs {
            let end = at + canonical_len(name.len(), value.len());
            self.before.push(&self.body[at..end]);
            at = end;
        }
    }
}

/// The first label in these bytes, and its value, if it has this name and is valid and canonical.
fn value_of<'b>(bytes: &'b [u8], name: &str, limits: &Limits) -> Option<(&'b [u8], &'b str)> {
    let label = LabelRun::new(bytes, 0, bytes.len()).next()?.ok()?;
    if !label.canonical || label.name != name.as_bytes() || label.value.is_empty() {
        return None;
    }
    let (_, value) = checked(b"_", label.value, limits).ok()?;
    Some((&bytes[..canonical_len(name.len(), value.len())], value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::labels::put_label;
    use proptest::prelude::*;

    const LIMITS: Limits = Limits { max_labels: 4, max_name_bytes: 8, max_value_bytes: 6 };

    fn labelled(name: &str, value: &str) -> Vec<u8> {
        let mut out = Vec::new();
        put_label(&mut out, name.as_bytes(), value.as_bytes());
        out
    }

    /// Labels in any order, some of them empty, too long, no text, or with a field that nobody knows.
    fn label() -> impl Strategy<Value = Vec<u8>> {
        let name = prop_oneof![Just("__name__"), Just("a"), Just("b"), Just(""), Just("far_too_long")];
        let value = prop_oneof![Just("1"), Just("2"), Just("22"), Just(""), Just("too long")];
        (name, value, 0u8..40).prop_map(|(name, value, odd)| {
            let mut out = labelled(name, value);
            match odd {
                0 => {
                    out.extend([0x18, 1]);
                    out[1] += 2;
                }
                1 => *out.last_mut().unwrap() = 0xff,
                2 => drop(out.pop()),
                3 => out.extend([0x28, 1]),
                _ => {}
            }
            out
        })
    }

    /// Series like the one before but for one label, as senders have them, and any.
    fn runs() -> impl Strategy<Value = Vec<Vec<Vec<u8>>>> {
        let any = proptest::collection::vec(label(), 0..6);
        let step = (any, 0usize..6, label(), 0u8..6);
        proptest::collection::vec(step, 1..20).prop_map(|steps| {
            let mut series: Vec<Vec<u8>> = ["__name__", "a", "b"].map(|name| labelled(name, "1")).into();
            let mut all = Vec::new();
            for (other, place, label, kind) in steps {
                match (kind, series.get_mut(place)) {
                    (0, _) => series = other,
                    (1, _) => series.truncate(place),
                    (2, _) => series.push(label),
                    (_, Some(there)) => *there = label,
                    _ => {}
                }
                all.push(series.clone());
            }
            all
        })
    }

    proptest! {
        #[test]
        fn each_set_is_read_as_if_none_had_been_before(runs in runs()) {
            let mut body = Vec::new();
            let mut places = Vec::new();
            for labels in &runs {
                let start = body.len();
                labels.iter().for_each(|label| body.extend(label));
                places.push(start..body.len());
            }
            let mut reader = Reader::new(&body);
            for place in places {
                let mut pairs = Vec::new();
                let expected = read(&body, place.clone(), &LIMITS, &mut pairs);
                let found = reader.read(place, &LIMITS);
                prop_assert_eq!(&found, &expected);
                if let Ok(Ok(_)) = found {
                    prop_assert_eq!(reader.pairs(), &pairs[..]);
                }
            }
        }
    }

    #[test]
    fn what_is_the_same_stays_where_it_stood() {
        let mut body = Vec::new();
        for pod in [b"x", b"y"] {
            put_label(&mut body, b"__name__", b"up");
            put_label(&mut body, b"pod", pod);
        }
        let (mut reader, half) = (Reader::new(&body), body.len() / 2);
        assert_eq!(reader.read(0..half, &LIMITS), Ok(Ok(Form::Canonical)));
        let first = reader.pairs().to_vec();
        assert_eq!(reader.read(half..body.len(), &LIMITS), Ok(Ok(Form::Canonical)));
        let second = reader.pairs();
        assert_eq!((first[1], second[1]), (("pod", "x"), ("pod", "y")));
        assert!(std::ptr::eq(first[0].1, second[0].1) && std::ptr::eq(first[1].0, second[1].0));
    }
}
