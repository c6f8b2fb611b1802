//! The groups of one shard: what is sent instead of their members, and the histograms that some of them make up.

use std::sync::Arc;

use ahash::AHashMap;

use crate::policy::MetricKind;
use crate::series::Fingerprint;

/// Buckets that most histograms have.
const BUCKETS: usize = 16;

/// Stands for no group and no histogram.
pub(super) const NONE: u32 = u32::MAX;

/// One group: one series upstream (of a gauge with several outputs: as many).
pub(super) struct Group {
    /// The identity of its series upstream.
    pub(super) series: Fingerprint,
    /// Frozen when the group comes into being.
    pub(super) kind: MetricKind,
    /// Canonical label blocks, one for each output.
    pub(super) labels: Box<[Arc<[u8]>]>,
    /// What is to be sent together has the same.
    pub(super) kin: u32,
    /// Which replica it is of; 0: none.
    pub(super) replica: u32,
    /// Number of the histogram that it is a bucket of.
    pub(super) family: u32,
    /// Series that are part of it now.
    pub(super) members: u32,
    /// Of a counter: all increases so far.
    pub(super) total: f64,
    /// What is sent of them: that of a bucket may wait for larger ones.
    pub(super) shown_total: f64,
    /// When it was last heard of, Unix milliseconds of sample time.
    pub(super) newest_ms: i64,
    /// End of the window in which it begins; `i64::MAX` before that and after its end.
    pub(super) from_ms: i64,
    /// Whether something was sent since.
    pub(super) shown: bool,
    /// Time of its last stale marker, Unix milliseconds.
    pub(super) ended_ms: i64,
}

/// A group as it is known outside.
#[derive(Clone, Debug)]
pub struct Named {
    /// What its policy is, as text.
    pub definition: Arc<str>,
    /// Whose it is.
    pub tenant: u32,
    /// Canonical label blocks, one for each output.
    pub labels: Box<[Arc<[u8]>]>,
}

/// A group that is not there any more.
#[derive(Clone, Debug)]
pub struct EndedGroup {
    /// Which.
    pub group: Named,
    /// The time of its stale marker, Unix milliseconds.
    pub ended_ms: i64,
}

impl Group {
    pub(super) fn has_begun(&self, end: i64) -> bool {
        self.from_ms <= end
    }

    /// Bytes of its labels, and of what holds them: two counts beside each block.
    fn label_bytes(&self) -> usize {
        let block = |block: &Arc<[u8]>| block.len() + 2 * size_of::<usize>() + size_of::<Arc<[u8]>>();
        self.labels.iter().map(block).sum()
    }

    /// Whether it has not begun, or has ended.
    pub(super) fn is_over(&self) -> bool {
        self.from_ms == i64::MAX
    }

    /// Whether it is a bucket of a histogram.
    pub(super) fn is_bucket(&self) -> bool {
        self.family != NONE
    }

    /// Forgets everything but who it is: if it comes back, it starts at zero.
    pub(super) fn end(&mut self, at: i64) {
        self.total = 0.0;
        self.shown_total = 0.0;
        self.from_ms = i64::MAX;
        if self.shown {
            self.ended_ms = at;
        }
        self.shown = false;
    }
}

/// The buckets of one histogram.
pub(super) struct Family {
    pub(super) id: Fingerprint,
    /// Upper bound and group, in order of the bounds.
    pub(super) buckets: Vec<(f64, u32)>,
    /// For how many windows in a row the buckets had different members.
    pub(super) different: u8,
}

/// All groups of a shard.
#[derive(Default)]
pub(super) struct Groups {
    slots: Vec<Option<Group>>,
    free: Vec<u32>,
    by_series: AHashMap<Fingerprint, u32>,
    families: Vec<Family>,
    free_families: Vec<u32>,
    by_family: AHashMap<Fingerprint, u32>,
    /// Label blocks of all groups, bytes.
    label_bytes: usize,
}

impl Groups {
    pub(super) fn len(&self) -> usize {
        self.by_series.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_series.is_empty()
    }

    /// Memory held, bytes, about: a histogram has a place for each of its buckets.
    pub(super) fn bytes(&self) -> usize {
        let maps = self.by_series.capacity() + self.by_family.capacity();
        self.label_bytes
            + self.slots.capacity() * size_of::<Option<Group>>()
            + self.families.capacity() * (size_of::<Family>() + BUCKETS * size_of::<(f64, u32)>())
            + (self.free.capacity() + self.free_families.capacity()) * size_of::<u32>()
            + maps * (size_of::<(Fingerprint, u32)>() + 1)
    }

    /// Numbers that groups may have: below this.
    pub(super) fn span(&self) -> u32 {
        self.slots.len() as u32
    }

    pub(super) fn number_of(&self, series: Fingerprint) -> Option<u32> {
        self.by_series.get(&series).copied()
    }

    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&Group> {
        self.slots.get(number as usize)?.as_ref()
    }

    #[inline]
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Group> {
        self.slots.get_mut(number as usize)?.as_mut()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, &Group)> {
        (0u32..).zip(&self.slots).filter_map(|(number, slot)| Some((number, slot.as_ref()?)))
    }

    /// Adds a group; `bucket`: of which histogram it is the bucket, and with what upper bound.
    pub(super) fn add(&mut self, mut group: Group, bucket: Option<(Fingerprint, f64)>) -> u32 {
        let number = self.free.pop().unwrap_or(self.slots.len() as u32);
        if let Some((id, bound)) = bucket {
            group.family = self.family(id);
            let buckets = &mut self.families[group.family as usize].buckets;
            let at = buckets.partition_point(|(other, _)| other.total_cmp(&bound).is_lt());
            buckets.insert(at, (bound, number));
        }
        self.by_series.insert(group.series, number);
        self.label_bytes += group.label_bytes();
        if number as usize == self.slots.len() {
            self.slots.push(Some(group));
        } else {
            self.slots[number as usize] = Some(group);
        }
        number
    }

    fn family(&mut self, id: Fingerprint) -> u32 {
        if let Some(number) = self.by_family.get(&id) {
            return *number;
        }
        let family = Family { id, buckets: Vec::new(), different: 0 };
        let number = self.free_families.pop().unwrap_or(self.families.len() as u32);
        if number as usize == self.families.len() {
            self.families.push(family);
        } else {
            self.families[number as usize] = family;
        }
        self.by_family.insert(id, number);
        number
    }

    /// Takes a group out; its number may be another's from now on.
    pub(super) fn remove(&mut self, number: u32) -> Option<Group> {
        let group = self.slots.get_mut(number as usize).and_then(Option::take)?;
        self.by_series.remove(&group.series);
        self.label_bytes -= group.label_bytes();
        self.free.push(number);
        if let Some(family) = self.families.get_mut(group.family as usize) {
            family.buckets.retain(|(_, bucket)| *bucket != number);
            if family.buckets.is_empty() {
                self.by_family.remove(&family.id);
                self.free_families.push(group.family);
            }
        }
        // what a storm has blown up is given back when it is over
        if self.by_series.is_empty() {
            *self = Self::default();
        }
        Some(group)
    }

    /// Of which histogram a group is the bucket, and with what upper bound.
    pub(super) fn bucket(&self, number: u32) -> Option<(Fingerprint, f64)> {
        let family = self.families.get(self.get(number)?.family as usize)?;
        let (bound, _) = family.buckets.iter().find(|(_, bucket)| *bucket == number)?;
        Some((family.id, *bound))
    }

    /// Shows each histogram, with all groups.
    pub(super) fn each_family(&mut self, mut visit: impl FnMut(&mut Family, &mut Self)) {
        let mut families = std::mem::take(&mut self.families);
        families
            .iter_mut()
            .filter(|family| !family.buckets.is_empty())
            .for_each(|family| visit(family, self));
        self.families = families;
    }

    /// All groups, to be changed.
    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Group> {
        self.slots.iter_mut().flatten()
    }
}
