//! A gate with a limit against a model that says plainly what must hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use seriesgate::policy::Mode;
use seriesgate_proto::{Sample, TimeSeries, WriteRequest, encode_snappy};

use super::support::{STALE, assert_conserved, expire, put_value, sent, series, set};
use super::{gate, job, limit, limiting, usage};

/// What happens to a gate with a limit.
#[derive(Clone, Debug)]
enum Step {
    /// Series of these numbers come; the upstream takes them, or not.
    Send(Vec<u8>, bool),
    /// Series that end.
    End(u8),
    Wait(u16),
    Expire,
    /// Another number.
    Reload(u32),
}

/// Those that ended two minutes ago have no place any more.
fn let_go(flowing: &mut BTreeMap<u8, i64>, ended: &mut BTreeMap<u8, i64>, now: i64) {
    flowing.retain(|n, _| ended.get(n).is_none_or(|at| now - at < 120_000));
    ended.retain(|_, at| now - *at < 120_000);
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (proptest::collection::vec(0..30_u8, 1..8), any::<bool>()).prop_map(|(of, taken)| Step::Send(of, taken)),
        2 => (0..30_u8).prop_map(Step::End),
        3 => (1..400_u16).prop_map(Step::Wait),
        1 => Just(Step::Expire),
        1 => (1..8_u32).prop_map(Step::Reload),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn no_more_flow_than_may_and_none_that_flows_is_held(steps in proptest::collection::vec(step(), 1..80)) {
        let mut max = 4;
        let mut gate = gate(&[limiting(limit(max, &[]), Mode::Enforce)]);
        // which series flow, and when each was seen last
        let mut flowing: BTreeMap<u8, i64> = BTreeMap::new();
        // those of them that have a stale marker, and since when
        let mut ended: BTreeMap<u8, i64> = BTreeMap::new();
        for step in steps {
            let now = gate.pipeline.clock().unix_ms();
            let_go(&mut flowing, &mut ended, now);
            match step {
                Step::Send(of, taken) => {
                    let of: BTreeSet<u8> = of.into_iter().collect();
                    let one = |n: &u8| {
                        let name = n.to_string();
                        TimeSeries { samples: vec![Sample { value: 1.0, timestamp: now }], ..series(&job(&name)) }
                    };
                    let request = WriteRequest::of(of.iter().map(one).collect());
                    gate.decide("", &encode_snappy(&request)).unwrap();
                    assert_conserved(&gate.outcome);
                    let went: BTreeSet<u8> = sent(&gate, &request).iter().map(|text| {
                        text.split('"').nth(1).unwrap().parse().unwrap()
                    }).collect();
                    for n in of.iter().filter(|n| flowing.contains_key(*n)) {
                        prop_assert!(went.contains(n), "{} flowed and is held", n);
                    }
                    let new = went.iter().filter(|n| !flowing.contains_key(*n)).count();
                    prop_assert!(new == 0 || flowing.len() + new <= max as usize, "{} and {} new", flowing.len(), new);
                    // who is there again has not ended, whatever becomes of the request
                    ended.retain(|n, _| !of.contains(n));
                    if taken {
                        gate.pipeline.commit(&gate.outcome);
                        flowing.extend(went.iter().map(|n| (*n, now)));
                    } else {
                        gate.pipeline.refuse(&gate.outcome);
                        gate.outcome.effects.reserved.clear();
                        // it was seen, even if it was not sent
                        flowing.iter_mut().filter(|(n, _)| went.contains(n)).for_each(|(_, seen)| *seen = now);
                    }
                }
                Step::End(n) => {
                    let name = n.to_string();
                    put_value(&mut gate, &job(&name), STALE);
                    let (went, flowed) = (gate.outcome.forwarded.samples == 1, flowing.contains_key(&n));
                    prop_assert!(went || !flowed, "{} flowed and is held", n);
                    prop_assert!(!went || flowed || flowing.len() < max as usize, "{} and a new one", flowing.len());
                    // one that comes with its end has a place for that while
                    if went {
                        flowing.insert(n, now);
                        ended.insert(n, now);
                    }
                }
                Step::Wait(seconds) => gate.pipeline.clock().advance_ms(i64::from(seconds) * 1000),
                Step::Expire => {
                    expire(&gate, 1200);
                    flowing.retain(|_, seen| *seen >= now - 1_200_000);
                    ended.retain(|n, _| flowing.contains_key(n));
                }
                Step::Reload(other) => {
                    max = other;
                    gate.pipeline.replace_policies(set(&[limiting(limit(max, &[]), Mode::Enforce)]));
                }
            }
            gate.outcome.effects.reserved.clear();
            let now = gate.pipeline.clock().unix_ms();
            let_go(&mut flowing, &mut ended, now);
            prop_assert_eq!(usage(&gate).0, flowing.len() as u64);
        }
    }
}
