//! The same of a body of remote write 2.0: a table of texts, and series that name them by position.

use super::{BadBody, Fields, Labels, Series, Value, read_sample};
use crate::body::{bytes_key, framed_len, put_varint};
use crate::identity;

/// Shows every series of a decompressed body of 2.0 as one of 1.0 would be shown.
pub(super) fn each_series(
    raw: &[u8],
    wanted: Labels,
    mut visit: impl FnMut(&Series<'_>),
) -> Result<(), BadBody> {
    let mut reader = Reader { texts: texts(raw)?, refs: Vec::new(), label: Vec::new() };
    let mut series = Series::default();
    let mut request = Fields(raw);
    while let Some((number, value)) = request.next()? {
        let (5, Value::Bytes(message)) = (number, value) else { continue };
        reader.read(message, wanted, &mut series)?;
        visit(&series);
    }
    Ok(())
}

/// The table. Its first text is empty, so that a position of 0 says nothing.
fn texts(raw: &[u8]) -> Result<Vec<&[u8]>, BadBody> {
    let mut texts = Vec::new();
    let mut request = Fields(raw);
    while let Some((number, value)) = request.next()? {
        match (number, value) {
            (4, Value::Bytes(text)) => texts.push(text),
            (5, _) => {}
            (1..=3, _) => return Err(BadBody::Protobuf("a field of 1.0 in a request of 2.0")),
            _ => {}
        }
    }
    match texts.first() {
        Some([]) | None => Ok(texts),
        Some(_) => Err(BadBody::Protobuf("the first symbol is not the empty text")),
    }
}

/// Reads series by one table; the rest is room that is used again.
struct Reader<'a> {
    texts: Vec<&'a [u8]>,
    refs: Vec<u64>,
    label: Vec<u8>,
}

impl<'a> Reader<'a> {
    fn read(&mut self, message: &'a [u8], wanted: Labels, series: &mut Series<'a>) -> Result<(), BadBody> {
        series.clear();
        self.refs.clear();
        let mut fields = Fields(message);
        while let Some((number, value)) = fields.next()? {
            match (number, value) {
                (1, value) => read_refs(value, &mut self.refs)?,
                (2, Value::Bytes(sample)) => series.samples.push(read_sample(sample)?),
                (3, Value::Bytes(histogram)) => series.histograms.push(histogram),
                (4, Value::Bytes(exemplar)) => series.exemplars.push(self.exemplar(exemplar)?.into()),
                _ => {}
            }
        }
        if wanted == Labels::Skip {
            return Ok(());
        }
        for label in labels(&self.refs, &self.texts)? {
            let (name, text) = label?;
            series.labels.push((name, text));
            if !text.is_empty() {
                self.label.clear();
                identity::put_label(&mut self.label, name, text);
                series.identity = series.identity.wrapping_add(identity::of_message(&self.label));
            }
        }
        Ok(())
    }

    /// An exemplar as 1.0 has it, so that it is known by the same hash in either version: labels first, then the rest.
    fn exemplar(&self, message: &[u8]) -> Result<Vec<u8>, BadBody> {
        let (mut refs, mut rest, mut out) = (Vec::new(), Vec::new(), Vec::new());
        let mut fields = Fields(message);
        loop {
            let before = fields.0;
            let Some((number, value)) = fields.next()? else { break };
            match number {
                1 => read_refs(value, &mut refs)?,
                _ => rest.extend_from_slice(&before[..before.len() - fields.0.len()]),
            }
        }
        for label in labels(&refs, &self.texts)? {
            let (name, text) = label?;
            out.push(bytes_key(1));
            put_varint(&mut out, (framed_len(name.len()) + framed_len(text.len())) as u64);
            identity::put_label(&mut out, name, text);
        }
        out.append(&mut rest);
        Ok(out)
    }
}

/// Positions, packed or one by one.
fn read_refs(value: Value<'_>, refs: &mut Vec<u64>) -> Result<(), BadBody> {
    match value {
        Value::Number(position) => refs.push(position),
        Value::Bytes(packed) => {
            let mut packed = Fields(packed);
            while !packed.0.is_empty() {
                refs.push(packed.varint()?);
            }
        }
        Value::Fixed(_) => return Err(BadBody::Protobuf("references of another type")),
    }
    Ok(())
}

type Label<'a> = (&'a [u8], &'a [u8]);

/// The labels that pairs of positions are.
fn labels<'a>(
    refs: &[u64],
    texts: &[&'a [u8]],
) -> Result<impl Iterator<Item = Result<Label<'a>, BadBody>>, BadBody> {
    let (pairs, rest) = refs.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(BadBody::Protobuf("a label without a value"));
    }
    let text = |position: u64| {
        let found = usize::try_from(position).ok().and_then(|position| texts.get(position));
        found.copied().ok_or(BadBody::Protobuf("a reference that leads nowhere"))
    };
    Ok(pairs.iter().map(move |&[name, value]| Ok((text(name)?, text(value)?))))
}
