//! The scenarios that come with the program.

/// Their names.
pub const NAMES: [&str; 10] = [
    "small",
    "sidecar",
    "gateway-1m",
    "incident",
    "rollout-storm",
    "cardinality-bomb",
    "gates-behind-a-service",
    "gate-restarts",
    "shared-address",
    "scopes",
];

pub(super) fn text(name: &str) -> Option<&'static str> {
    Some(match name {
        "small" => include_str!("../../scenarios/small.yaml"),
        "sidecar" => include_str!("../../scenarios/sidecar.yaml"),
        "gateway-1m" => include_str!("../../scenarios/gateway-1m.yaml"),
        "incident" => include_str!("../../scenarios/incident.yaml"),
        "rollout-storm" => include_str!("../../scenarios/rollout-storm.yaml"),
        "cardinality-bomb" => include_str!("../../scenarios/cardinality-bomb.yaml"),
        "gates-behind-a-service" => include_str!("../../scenarios/gates-behind-a-service.yaml"),
        "gate-restarts" => include_str!("../../scenarios/gate-restarts.yaml"),
        "shared-address" => include_str!("../../scenarios/shared-address.yaml"),
        "scopes" => include_str!("../../scenarios/scopes.yaml"),
        _ => return None,
    })
}
