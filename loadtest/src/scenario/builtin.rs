//! The scenarios that come with the program.

/// Their names.
pub const NAMES: [&str; 6] =
    ["small", "sidecar", "gateway-1m", "incident", "rollout-storm", "cardinality-bomb"];

pub(super) fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "small" => include_str!("../../scenarios/small.yaml"),
        "sidecar" => include_str!("../../scenarios/sidecar.yaml"),
        "gateway-1m" => include_str!("../../scenarios/gateway-1m.yaml"),
        "incident" => include_str!("../../scenarios/incident.yaml"),
        "rollout-storm" => include_str!("../../scenarios/rollout-storm.yaml"),
        "cardinality-bomb" => include_str!("../../scenarios/cardinality-bomb.yaml"),
        _ => return None,
    })
}
