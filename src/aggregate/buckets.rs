//! What the buckets of a histogram are shown to have grown by: none by more than a larger one.
//!
//! Samples of one scrape can come on both sides of the end of a window, when senders share series out over connections.
//! The growth of a bucket then waits until that of the larger ones is there. Where members have different buckets that
//! would wait for ever; there a bucket is shown at no less than a smaller one.

use super::group::{Family, Groups};

/// So many windows in a row buckets may have different members: those of a new member come one by one.
const PARTS_COME_WITHIN: u8 = 3;

/// Decides what each counter shows at the end of a window. Returns how many histograms have members with different
/// buckets.
pub(super) fn show(groups: &mut Groups, end: i64) -> usize {
    let mut mixed = 0;
    groups.each_family(|family, groups| {
        let different = differ(family, groups, end);
        family.different = if different { family.different.saturating_add(1) } else { 0 };
        if family.different > PARTS_COME_WITHIN {
            mixed += 1;
            raise(family, groups, end);
        } else {
            hold_back(family, groups, end);
        }
    });
    mixed
}

fn differ(family: &Family, groups: &mut Groups, end: i64) -> bool {
    let begun = |(_, number): &(f64, u32)| groups.get(*number).filter(|group| group.has_begun(end));
    let mut members = family.buckets.iter().filter_map(begun).map(|group| group.members);
    let first = members.next();
    members.any(|members| Some(members) != first)
}

/// From the largest bucket down: each grows by what it has, but by no more than the one above.
fn hold_back(family: &Family, groups: &mut Groups, end: i64) {
    let mut most = f64::INFINITY;
    for (_, number) in family.buckets.iter().rev() {
        let Some(group) = groups.get_mut(*number).filter(|group| group.has_begun(end)) else {
            most = 0.0;
            continue;
        };
        let has = (group.total - group.shown_total).max(0.0);
        if has <= most {
            most = has;
            group.shown_total = group.shown_total.max(group.total);
        } else {
            group.shown_total += most;
        }
    }
}

/// From the smallest bucket up: each shows what it has, but no less than the one below.
fn raise(family: &Family, groups: &mut Groups, end: i64) {
    let mut least = 0.0f64;
    for (_, number) in &family.buckets {
        let Some(group) = groups.get_mut(*number).filter(|group| group.has_begun(end)) else { continue };
        group.shown_total = group.shown_total.max(group.total).max(least);
        least = group.shown_total;
    }
}
