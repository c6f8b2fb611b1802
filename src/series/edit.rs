//! How the label block of one series becomes that of another, without its labels being parsed again.
//!
//! An edit is made once, when a series is decided, and applied to the canonical label bytes of each of its
//! samples. It names labels by position, so series of one shape share it: a million series that lose the same
//! label have one edit among them.

use crate::codec::varint;
use crate::wire::labels::{Label, put_canonical, put_label};

/// `[start, count]`: labels as they stand.
const COPY: u8 = 0;
/// `[position, name]`: the value of a label under another name.
const RENAME: u8 = 1;
/// `[bytes]`: encoded labels.
const INSERT: u8 = 2;

/// Writes the edit from one sorted label set to another into `out`.
pub fn derive(from: &[(&str, &str)], to: &[(&str, &str)], out: &mut Vec<u8>) {
    out.clear();
    let mut run: Option<(usize, usize)> = None;
    let mut fresh = Vec::new();
    for (name, value) in to {
        let kept = from.binary_search_by_key(name, |(name, _)| *name).ok().filter(|at| from[*at].1 == *value);
        match (kept, &mut run) {
            (Some(at), Some((start, count))) if fresh.is_empty() && *start + *count == at => *count += 1,
            (Some(at), _) => {
                flush(&mut run, &mut fresh, out);
                run = Some((at, 1));
            }
            (None, _) => {
                if let Some(at) = source(from, to, value) {
                    flush(&mut run, &mut fresh, out);
                    out.push(RENAME);
                    varint::put(out, at);
                    put_bytes(out, name.as_bytes());
                } else {
                    flush(&mut run, &mut Vec::new(), out);
                    put_canonical(&mut fresh, name, value);
                }
            }
        }
    }
    flush(&mut run, &mut fresh, out);
}

/// A label whose value can be had under a new name: best one that goes away, as a rename has it; then series of
/// one shape get the same edit.
fn source(from: &[(&str, &str)], to: &[(&str, &str)], value: &str) -> Option<usize> {
    let goes = |name: &str| to.binary_search_by_key(&name, |(name, _)| *name).is_err();
    let same = || from.iter().enumerate().filter(|(_, (_, candidate))| *candidate == value);
    same().find(|(_, (name, _))| goes(name)).or_else(|| same().next()).map(|(at, _)| at)
}

fn flush(run: &mut Option<(usize, usize)>, fresh: &mut Vec<u8>, out: &mut Vec<u8>) {
    if !fresh.is_empty() {
        out.push(INSERT);
        put_bytes(out, fresh);
        fresh.clear();
    }
    if let Some((start, count)) = run.take() {
        out.push(COPY);
        varint::put(out, start);
        varint::put(out, count);
    }
}

/// Appends the edited form of a canonical label block to `out`. `starts` is scratch. `None` if the edit was made
/// for other labels; then `out` holds a part.
#[inline]
pub fn apply(edit: &[u8], block: &[u8], starts: &mut Vec<u32>, out: &mut Vec<u8>) -> Option<()> {
    split(block, starts)?;
    let mut rest = edit;
    while let Some((op, tail)) = rest.split_first() {
        rest = tail;
        match *op {
            COPY => {
                let (start, count) = (number(&mut rest)?, number(&mut rest)?);
                let (from, to) = (*starts.get(start)?, *starts.get(start + count)?);
                out.extend_from_slice(block.get(from as usize..to as usize)?);
            }
            RENAME => {
                let at = number(&mut rest)?;
                let name = bytes(&mut rest)?;
                let label = block.get(*starts.get(at)? as usize..*starts.get(at + 1)? as usize)?;
                put_label(out, name, Label::canonical(label)?.value);
            }
            INSERT => out.extend_from_slice(bytes(&mut rest)?),
            _ => return None,
        }
    }
    Some(())
}

/// Where each label of a canonical block starts, and where the last one ends.
#[inline]
fn split(block: &[u8], starts: &mut Vec<u32>) -> Option<()> {
    starts.clear();
    let mut at = 0;
    while let Some(head) = block.get(at + 1) {
        starts.push(at as u32);
        // nearly all labels are shorter than 128 bytes
        at += if *head < 0x80 {
            2 + usize::from(*head)
        } else {
            let mut rest = &block[at + 1..];
            let before = rest.len();
            let len = number(&mut rest)?;
            1 + before - rest.len() + len
        };
    }
    starts.push(at as u32);
    (at == block.len()).then_some(())
}

fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len());
    out.extend_from_slice(bytes);
}

#[inline]
fn number(rest: &mut &[u8]) -> Option<usize> {
    let (mut value, mut shift) = (0usize, 0);
    loop {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= usize::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
        shift += 7;
        if shift > 28 {
            return None;
        }
    }
}

#[inline]
fn bytes<'e>(rest: &mut &'e [u8]) -> Option<&'e [u8]> {
    let len = number(rest)?;
    let (taken, tail) = rest.split_at_checked(len)?;
    *rest = tail;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::series::identity::encode_canonical;

    fn edit(from: &[(&str, &str)], to: &[(&str, &str)]) -> Vec<u8> {
        let mut script = Vec::new();
        derive(from, to, &mut script);
        script
    }

    fn applied(script: &[u8], from: &[(&str, &str)]) -> Option<Vec<u8>> {
        let (mut block, mut out) = (Vec::new(), Vec::new());
        encode_canonical(from, &mut block);
        apply(script, &block, &mut Vec::new(), &mut out).map(|()| out)
    }

    #[test]
    fn series_of_one_shape_share_an_edit() {
        let dropped = |pod| {
            edit(&[("__name__", "up"), ("pod", pod), ("zone", "a")], &[("__name__", "up"), ("zone", "a")])
        };
        assert_eq!(dropped("x"), dropped("a longer one"));
        let renamed =
            |pod| edit(&[("__name__", "up"), ("pod", pod)], &[("__name__", "up"), ("kubernetes_pod", pod)]);
        assert_eq!(renamed("x"), renamed("y"));
        assert!(renamed("x").len() < 24);
    }

    #[test]
    fn an_edit_for_other_labels_is_refused_or_harmless() {
        let script = edit(&[("a", "1"), ("b", "2")], &[("b", "2")]);
        assert_eq!(applied(&script, &[("a", "1")]), None);
        for end in 0..script.len() {
            let _ = applied(&script[..end], &[("a", "1"), ("b", "2")]);
        }
    }

    fn labels() -> impl Strategy<Value = BTreeMap<String, String>> {
        let value = prop_oneof![8 => "[ab]{1,2}", 1 => "[a-z]{100,300}"];
        prop::collection::btree_map("[a-f]{1,2}", value, 0..12)
    }

    proptest! {
        #[test]
        fn the_edited_block_is_the_block_of_the_output(from in labels(), to in labels()) {
            let borrow = |labels: &BTreeMap<String, String>| {
                labels.iter().map(|(n, v)| (n.clone(), v.clone())).collect::<Vec<_>>()
            };
            let (from, to) = (borrow(&from), borrow(&to));
            let from: Vec<_> = from.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let to: Vec<_> = to.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
            let mut expected = Vec::new();
            encode_canonical(&to, &mut expected);
            prop_assert_eq!(applied(&edit(&from, &to), &from), Some(expected));
        }
    }
}
