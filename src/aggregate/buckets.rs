//! What the buckets of a histogram are shown to have grown by: none by more than a larger one of the same members.
//!
//! Samples of one scrape can come on both sides of the end of a window, when senders share series out over connections.
//! The growth of a bucket then waits until that of the larger ones is there. A bound that some members do not have says
//! nothing of the others: there each bucket grows by what its own members grew by, as their sum would, and by no more than
//! the one without bound, which all have.

use super::group::{Family, Group, Groups};

/// So many windows in a row buckets may have different members: those of a new member come one by one.
const PARTS_COME_WITHIN: u8 = 3;

/// Decides what each counter shows at the end of a window. Returns how many histograms have members with different
/// buckets.
pub(super) fn show(groups: &mut Groups, end: i64) -> usize {
    let mut mixed = 0;
    groups.each_family(|family, groups| {
        let different = differ(family, groups, end);
        family.different = if different { family.different.saturating_add(1) } else { 0 };
        mixed += usize::from(family.different > PARTS_COME_WITHIN);
        match family.different {
            0 => hold_back(family, groups, end),
            different => hold_back_of_as_many(family, groups, end, different),
        }
    });
    mixed
}

/// Whether the buckets that have members have different numbers of them.
fn differ(family: &Family, groups: &mut Groups, end: i64) -> bool {
    let lives = |(_, number): &(f64, u32)| groups.get(*number).filter(|group| goes_on(group, end));
    let mut members = family.buckets.iter().filter_map(lives).map(|group| group.members);
    let first = members.next();
    members.any(|members| Some(members) != first)
}

/// Whether a bucket has members and has not ended.
fn goes_on(group: &Group, end: i64) -> bool {
    group.members > 0 && (group.has_begun(end) || group.newest_ms == i64::MIN)
}

/// What a bucket grows by, at most by this.
fn grow(group: &mut Group, most: f64) -> f64 {
    let has = (group.total - group.shown_total).max(0.0);
    if has <= most {
        group.shown_total = group.total.max(group.shown_total);
        return has;
    }
    group.shown_total += most;
    most
}

/// What a bucket lets smaller ones grow by. One that has lost its members or has ended says nothing if a larger one goes on
/// (`above`): its bound is gone, and the histogram is not.
fn shown(group: &mut Group, end: i64, most: f64, above: &mut bool) -> Option<f64> {
    let begun = group.has_begun(end);
    let grown = if begun { grow(group, most) } else { 0.0 };
    let goes_on = goes_on(group, end);
    let speaks = goes_on || !*above;
    *above |= goes_on;
    speaks.then_some(grown)
}

/// From the largest bucket down: each grows by what it has, but by no more than the one above.
fn hold_back(family: &Family, groups: &mut Groups, end: i64) {
    let (mut most, mut above) = (f64::INFINITY, false);
    for (_, number) in family.buckets.iter().rev() {
        let Some(group) = groups.get_mut(*number) else { continue };
        most = shown(group, end, most, &mut above).unwrap_or(most);
    }
}

/// The same, but by no more than one that has at least as many members; once they have been different for long, only than the
/// one without bound. Between the two, what waited for others that will not come is shown.
fn hold_back_of_as_many(family: &Family, groups: &mut Groups, end: i64, different: u8) {
    let (for_good, mut above) = (different > PARTS_COME_WITHIN, false);
    let mut larger: Vec<(u32, f64)> = Vec::with_capacity(family.buckets.len());
    for (bound, number) in family.buckets.iter().rev() {
        let Some(group) = groups.get_mut(*number) else { continue };
        let limits = larger.iter().filter(|(members, _)| *members >= group.members);
        let limits = limits.filter(|_| different != PARTS_COME_WITHIN + 1);
        let most = limits.map(|(_, grown)| *grown).fold(f64::INFINITY, f64::min);
        let members = group.members;
        let grown = shown(group, end, most, &mut above);
        larger.extend(grown.filter(|_| !for_good || *bound == f64::INFINITY).map(|grown| (members, grown)));
    }
}
