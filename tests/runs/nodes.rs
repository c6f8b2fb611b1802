//! A node that is lost, as kube-state-metrics alone tells it.

use seriesgate::cardinality::FindingKind;

use super::rig::{Page, Watch};
use super::world::World;

/// Nodes that are said to be gone, and the series that ended with them.
fn lost(watch: &Watch) -> Vec<(String, u64)> {
    let found = watch.gate.pipeline.tracker().findings(watch.now());
    let lost = found.into_iter().filter(|finding| finding.kind == FindingKind::NodeLost);
    lost.map(|finding| (finding.node.unwrap(), finding.series)).collect()
}

#[test]
fn a_node_that_is_deleted_is_found_and_named_once() {
    let mut world = World::new(Vec::new());
    let mut watch = Watch::new();
    world.live(&mut watch, 20);
    world.nodes.remove(1);
    world.live(&mut watch, 1);
    assert_eq!(lost(&watch), [], "its pods are still there");
    world.apps.iter_mut().for_each(|app| app.leave("worker-2", "worker-3"));
    world.live(&mut watch, 2);
    // 15 of the node, and kube_pod_info of five pods
    assert_eq!(lost(&watch), [("worker-2".to_owned(), 20)]);
    world.live(&mut watch, 61);
    assert_eq!(lost(&watch), [], "after an hour it is no news");
}

#[test]
fn a_node_that_comes_back_or_has_other_labels_is_not_lost() {
    let mut world = World::new(Vec::new());
    let mut watch = Watch::new();
    world.live(&mut watch, 20);
    // an upgrade: other labels, and its pods are replaced
    world.nodes[1].1 = "6.2";
    world.apps.iter_mut().for_each(|app| app.leave("worker-2", "worker-3"));
    world.live(&mut watch, 3);
    assert_eq!(lost(&watch), []);

    let node = world.nodes.remove(2);
    world.apps.iter_mut().for_each(|app| app.leave("worker-3", "worker-1"));
    world.live(&mut watch, 2);
    assert_eq!(lost(&watch).len(), 1);
    world.nodes.push(node);
    world.live(&mut watch, 1);
    assert_eq!(lost(&watch), [], "it is there again");
}

#[test]
fn when_the_exporter_is_away_no_node_is_lost() {
    let mut world = World::new(Vec::new());
    let mut watch = Watch::new();
    world.live(&mut watch, 20);
    for _ in 0..5 {
        watch.wait(1);
        watch.scrape(&Page::new());
        assert_eq!(lost(&watch), []);
    }
    world.live(&mut watch, 5);
    assert_eq!(lost(&watch), []);
}
