//! The labels of a series of 2.0 that have a value: one without is none.

use std::ops::Range;

use super::{Cursor, MAX_DEPTH, Symbols, WireError, for_each_reference};
use crate::codec::varint;

/// Tag of `TimeSeries.labels_refs`.
const REFERENCES: u8 = 0x0a;

/// Writes the references of a series (its content given) to labels that have a value into `out`, as a field. A label without a
/// name stays: it is a mistake, which is to be seen.
///
/// # Errors
/// If it is no series.
pub fn put_labels_without_empty(
    (body, symbols): (&[u8], &Symbols),
    content: Range<usize>,
    out: &mut Vec<u8>,
) -> Result<(), WireError> {
    out.clear();
    out.extend_from_slice(&[REFERENCES, 0]);
    let is_empty = |position| symbols.get(body, position).is_none_or(<[u8]>::is_empty);
    let mut series = Cursor::new(body, content.start, content.end);
    let mut name = None;
    while !series.is_done() {
        match series.key()? {
            (1, kind) => for_each_reference(&mut series, kind, |position| match name.take() {
                None => name = Some(position),
                Some(name) if is_empty(position) && !is_empty(name) => {}
                Some(name) => {
                    varint::put(out, name as usize);
                    varint::put(out, position as usize);
                }
            })?,
            (number, kind) => series.skip(number, kind, MAX_DEPTH - 1)?,
        }
    }
    varint::fill(out, 1, 1);
    Ok(())
}

#[cfg(test)]
mod tests {
    use prost::Message;
    use seriesgate_proto::v2::{Request, TimeSeries};

    use super::*;
    use crate::wire::v2::{FieldKind, Fields};

    #[test]
    fn labels_without_a_value_are_left_out_and_those_without_a_name_stay() {
        let symbols = ["", "__name__", "up", "a", "b"].map(str::to_owned).to_vec();
        let series = TimeSeries { labels_refs: vec![1, 2, 3, 0, 0, 0, 4, 2], ..TimeSeries::default() };
        let body = Request { symbols, timeseries: vec![series] }.encode_to_vec();
        let mut table = Symbols::default();
        table.read(&body).unwrap();
        let field = Fields::new(&body).flatten().find(|field| field.kind == FieldKind::Series).unwrap();
        let mut out = Vec::new();
        put_labels_without_empty((&body, &table), field.content..field.end, &mut out).unwrap();
        assert_eq!(TimeSeries::decode(&out[..]).unwrap().labels_refs, [1, 2, 0, 0, 4, 2]);
    }
}
