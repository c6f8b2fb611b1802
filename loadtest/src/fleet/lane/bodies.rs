//! The bodies of a scrape, one after the other, and what becomes of each.

use super::Lane;
use crate::fleet::repack::to_zstd;
use crate::fleet::segment::Segment;
use crate::packer;
use crate::protocol::{Protocol, Version};
use crate::rich::Rich;
use crate::snappy;

/// A body that was just made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Loaded {
    /// Samples in it.
    pub samples: u64,
    /// Exemplars and native histograms in it.
    pub rich: u64,
    /// Bytes before compression.
    pub raw_bytes: u64,
    /// How much of the scrape came before it, 0 to 1.
    pub position: f64,
}

impl Lane {
    /// Makes the next body of the scrape in `out`, with its values and times; `None` when the scrape is sent.
    pub fn next_body(&mut self, out: &mut Vec<u8>) -> Option<Loaded> {
        self.began = self.next;
        self.last_rich = Default::default();
        let (mut loaded, mut pieces, mut rich_raw) = (Loaded::default(), Vec::new(), Vec::new());
        loaded.position = self.sent_series as f64 / self.total_series.max(1) as f64;
        while let Some(object) = self.objects.get_mut(self.next.0) {
            let at_ms = self.at_ms + object.offset_ms;
            if let Some(segment) = object.segments.get_mut(self.next.1) {
                if loaded.samples > 0 && loaded.samples as usize + segment.slots.len() > self.batch {
                    break;
                }
                segment.write(at_ms, object.ended, &mut self.draft);
                loaded.samples += segment.slots.len() as u64;
                loaded.raw_bytes += segment.packed().1 as u64;
                pieces.push(self.next);
                self.next.1 += 1;
                continue;
            }
            for series in &object.rich {
                let to = (&mut rich_raw, &mut self.draft);
                let Some(message) = series.put(to, at_ms, object.ended) else { continue };
                match series.what() {
                    Rich::Exemplar { .. } => self.last_rich.0.add(&message),
                    Rich::Histogram { .. } => self.last_rich.1.add(&message),
                }
            }
            self.next = (self.next.0 + 1, 0);
        }
        if pieces.is_empty() && rich_raw.is_empty() && self.draft.request.is_empty() {
            return None;
        }
        self.exemplars.merge(self.last_rich.0);
        self.histograms.merge(self.last_rich.1);
        loaded.rich = self.last_rich.0.count + self.last_rich.1.count;
        loaded.raw_bytes += rich_raw.len() as u64;
        self.sent_series += loaded.samples as usize;
        if self.protocol.form().version == Version::Two {
            self.draft.request.finish(&mut self.raw);
            loaded.raw_bytes = self.raw.len() as u64;
            packer::pack(&self.raw, self.protocol, &mut self.snappy, out);
            return Some(loaded);
        }
        out.clear();
        snappy::put_len(out, loaded.raw_bytes as usize);
        for (object, segment) in pieces {
            out.extend_from_slice(self.objects[object].segments[segment].packed().0);
        }
        self.append_compressed(&rich_raw, out);
        if self.protocol == Protocol::Zstd {
            to_zstd(out);
        }
        Some(loaded)
    }

    /// Appends the elements that make these bytes, without the length in front.
    fn append_compressed(&mut self, raw: &[u8], out: &mut Vec<u8>) {
        if !raw.is_empty() {
            let packed = self.snappy.compress_vec(raw).expect("far below 4 GiB");
            let digits = packed.iter().take_while(|byte| **byte >= 0x80).count() + 1;
            out.extend_from_slice(&packed[digits..]);
        }
    }

    /// The last body was refused for good: what it held was not sent.
    pub fn refused(&mut self) {
        self.each_of_last(|segment, at_ms, ended, _| segment.unsend(at_ms, ended));
        self.exemplars.take(self.last_rich.0);
        self.histograms.take(self.last_rich.1);
    }

    /// Nobody knows what became of the last body.
    pub fn unknown(&mut self) {
        self.each_of_last(|segment, _, _, uncertain| {
            uncertain.extend(segment.slots.iter().map(|slot| slot.identity));
        });
    }

    fn each_of_last(&mut self, mut each: impl FnMut(&mut Segment, i64, bool, &mut Vec<u64>)) {
        let mut at = self.began;
        while at != self.next {
            let Some(object) = self.objects.get_mut(at.0) else { break };
            match object.segments.get_mut(at.1) {
                Some(segment) => {
                    each(segment, self.at_ms + object.offset_ms, object.ended, &mut self.uncertain);
                    at.1 += 1;
                }
                None => at = (at.0 + 1, 0),
            }
        }
    }
}
