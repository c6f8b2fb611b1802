use std::collections::BTreeMap;

use super::super::tests::{Bench, LIMITS, deliver, deliver_some};
use super::super::*;

#[test]
fn a_lane_that_cannot_be_delivered_takes_no_room_from_others() {
    let bench = Bench::new(LIMITS);
    let count = 10 * state::MOST_REMEMBERED as u32;
    for restart in [false, true] {
        let mut queue = bench.open();
        for i in 0..count {
            bench.append(&queue, 1, 0, &i.to_le_bytes()).unwrap();
        }
        for i in 0..4_u32 {
            bench.append(&queue, 2, 0, &i.to_le_bytes()).unwrap();
        }
        if restart {
            drop(queue);
            queue = bench.open();
        }
        // somebody has the first all the time, as where it is throttled
        assert_eq!(queue.take_turn(), Some(1));
        let other = deliver_some(&queue);
        assert_eq!(other, BTreeMap::from([(2, (0..4_u32).map(|i| i.to_le_bytes().to_vec()).collect())]));
        assert_eq!(queue.len(), u64::from(count));
        assert!(queue.held() < state::MOST_REMEMBERED * 100);
        queue.end_turn(1);
        let all: Vec<Vec<u8>> = (0..count).map(|i| i.to_le_bytes().to_vec()).collect();
        assert_eq!(deliver(&queue), BTreeMap::from([(1, all)]), "and its own are all there, in order");
        queue.close();
        assert_eq!((queue.len(), bench.segments().len()), (0, 0));
    }
}
