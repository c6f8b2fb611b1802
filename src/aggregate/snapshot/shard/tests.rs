//! Shards that were written and are read again.

use super::*;
use crate::series::{Fingerprint, Fingerprinter, SubjectTable};

fn id(low: u32) -> Fingerprint {
    Fingerprint { high: 1, low }
}

/// A shard of one gauge; as many as `before` were there when it came and are gone.
fn shard(before: u32) -> GroupShard {
    let mut shard = GroupShard::new(0, i64::MIN);
    let group = shard.groups.add(
        Group {
            series: id(0),
            kind: MetricKind::Gauge,
            shown: true,
            labels: Box::new([]),
            kin: 0,
            replica: 0,
            family: NONE,
            members: 1,
            total: 0.0,
            shown_total: 0.0,
            newest_ms: 1,
            from_ms: 1,
            ended_ms: i64::MIN,
        },
        None,
    );
    let gone: Vec<u32> = (0..before).map(|_| shard.gauges.add(group)).collect();
    let number = shard.gauges.add(group);
    gone.into_iter().for_each(|gone| shard.gauges.remove(gone));
    shard.gauges.get_mut(number).unwrap().bits = 7;
    shard.members.insert(Member::gauge(id(1), group, 0, number), ());
    let mut window = Window::default();
    (*window.values.entry(number), *window.times.entry(number)) = (9, 2);
    shard.open.push_back(window);
    shard
}

fn saved(shard: &GroupShard) -> Vec<u8> {
    let mut bytes = Vec::new();
    let starts = Starts::new(Fingerprinter::from_seed(1), std::sync::Arc::new(SubjectTable::default()));
    shard.save(&starts, &mut bytes);
    bytes
}

#[test]
fn a_file_with_large_numbers_takes_no_more_memory_than_one_with_small_ones() {
    let (sparse, dense) = (saved(&shard(100_000)), saved(&shard(0)));
    assert_eq!(sparse.len(), dense.len());
    let mut restored = GroupShard::new(0, i64::MIN);
    restored.restore(&mut Source::new(&sparse), 2).unwrap();
    assert!(restored.gauges.bytes() + restored.open[0].values.bytes() < 1000);
    assert_eq!(saved(&restored), dense, "and is the same under other numbers");
}

#[test]
fn what_is_there_twice_or_is_of_nobody_is_damage() {
    let good = saved(&shard(0));
    // the number of the one gauge, before which stands how many there are
    let gauge = good.len() - (4 + 4 + 4 + 8 + 1 + 8) - 4 - (4 + 4 + 1 + 8 + 8 + 8);
    for (at, said) in
        [(gauge, "a gauge that is nobody's"), (gauge - 4, "gauges that are nobody's, or too few")]
    {
        let mut bad = good.clone();
        bad[at] += 1;
        let damaged = GroupShard::new(0, i64::MIN).restore(&mut Source::new(&bad), 2).unwrap_err();
        assert_eq!(damaged.to_string(), said);
    }
    let mut numbers = Numbers::default();
    assert!(numbers.put(5, 0).is_ok() && numbers.put(5, 1).is_err());
}
