//! Who sends what: the agents of one scope share the objects of a source out among their lanes, and each scope has all of
//! them, with values of its own.

use crate::names::Seed;

/// Lanes by scope, and since when each sends.
pub(super) struct Teams {
    teams: Vec<Team>,
    /// By lane, Unix milliseconds.
    joined_ms: Vec<i64>,
}

struct Team {
    salt: u64,
    lanes: Vec<usize>,
}

/// Where one copy of an object lives.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The object's, in this scope.
    pub(super) id: u64,
    pub(super) lane: usize,
    /// What its scope adds to identities.
    pub(super) salt: u64,
    /// What its values are multiplied by, so that those of another scope are not taken for them.
    pub(super) factor: f64,
}

impl Teams {
    /// All lanes together, from the start.
    pub(super) fn one(lanes: usize) -> Self {
        let lanes = lanes.max(1);
        Self { teams: vec![Team { salt: 0, lanes: (0..lanes).collect() }], joined_ms: vec![i64::MIN; lanes] }
    }

    /// Agents with so many lanes each, dealt out to the scopes in turn.
    pub(super) fn of_scopes(&mut self, salts: &[u64], shards: usize) {
        let lanes = self.joined_ms.len();
        let count = salts.len();
        let of = |scope: usize| (0..lanes).filter(move |lane| lane / shards.max(1) % count == scope);
        let team = |(scope, salt): (usize, &u64)| Team { salt: *salt, lanes: of(scope).collect() };
        self.teams = salts.iter().enumerate().map(team).filter(|team| !team.lanes.is_empty()).collect();
    }

    /// These lanes send from a time on.
    pub(super) fn joins(&mut self, lanes: impl Iterator<Item = usize>, at_ms: i64) {
        for lane in lanes {
            self.joined_ms[lane] = at_ms;
        }
    }

    pub(super) fn has_joined(&self, lane: usize, at_ms: i64) -> bool {
        self.joined_ms[lane] <= at_ms
    }

    /// Where the copies of an object live of which something is sent at a time.
    pub(super) fn places(&self, object: u64, at_ms: i64) -> impl Iterator<Item = Place> {
        (0u64..).zip(&self.teams).filter_map(move |(number, team)| {
            let id = if number == 0 { object } else { Seed::new(object).child(100 + number).value() };
            let lane = team.lanes[(Seed::new(id).child(11).value() % team.lanes.len() as u64) as usize];
            let place = Place { id, lane, salt: team.salt, factor: 1.0 + number as f64 };
            self.has_joined(lane, at_ms).then_some(place)
        })
    }
}
