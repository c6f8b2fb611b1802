//! A limit against a model that says plainly what must hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// What happens to a limit.
#[derive(Clone, Debug)]
enum Step {
    /// A request with these series of groups is decided.
    Decide(Vec<(u64, u64)>),
    /// The request of this number, modulo those in hand, is answered: well, or not.
    Answer(usize, bool),
    /// A series ends or is idle.
    End(u64),
    Wait(u32),
    /// Other numbers come into force.
    Reload(u32, u32),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    let series = (0..40_u64, 0..3_u64);
    prop_oneof![
        6 => proptest::collection::vec(series, 1..6).prop_map(Step::Decide),
        6 => (any::<usize>(), any::<bool>()).prop_map(|(at, well)| Step::Answer(at, well)),
        3 => (0..40_u64).prop_map(Step::End),
        2 => (1..1500_u32).prop_map(Step::Wait),
        1 => (1..8_u32, 1..12_u32).prop_map(|(series, new)| Step::Reload(series, new)),
        1 => Just(Step::Sweep),
    ]
}

/// What must hold, said plainly.
#[derive(Default)]
struct Model {
    /// Series that are admitted, and their groups.
    admitted: BTreeMap<u64, u64>,
    /// Series that are not, and that requests in hand hold a place for: the group, and whether it counts as new.
    held: BTreeMap<u64, (u64, bool)>,
    /// When series were admitted that count as new, by group.
    came: Vec<(u64, u32)>,
}

impl Model {
    fn has_room(&self, group: u64, (max, max_new): (usize, usize), now: u32) -> bool {
        let admitted = self.admitted.values().filter(|of| **of == group).count();
        let held = self.held.values().filter(|(of, _)| *of == group);
        let (held, new) =
            held.fold((0, 0), |(held, new), (_, is_new)| (held + 1, new + usize::from(*is_new)));
        let minute = now / 60;
        let came = self.came.iter().filter(|(of, at)| *of == group && at / 60 + 60 > minute).count();
        admitted + held < max && came + new < max_new
    }
}

/// A limit, its model, and the requests in hand.
struct Play {
    rig: Rig,
    model: Model,
    in_hand: Vec<(Reserved, BTreeSet<u64>)>,
    /// The labels of a series do not change, so it is of one group for good.
    groups: BTreeMap<u64, u64>,
    max: (u32, u32),
    now: u32,
}

fn with((series, new): (u32, u32)) -> Limit {
    limit(Some(series), Some(new), 10)
}

impl Play {
    fn new(max: (u32, u32)) -> Self {
        let (rig, model) = (Rig::new(with(max)), Model::default());
        Self { rig, model, in_hand: Vec::new(), groups: BTreeMap::new(), max, now: START }
    }

    fn take(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Decide(wanted) => self.decide(wanted)?,
            Step::Answer(..) if self.in_hand.is_empty() => {}
            Step::Answer(at, well) => self.answer(at % self.in_hand.len(), well),
            Step::End(series) => self.end(series),
            Step::Wait(seconds) => self.now += seconds,
            Step::Reload(series, new) => {
                self.max = (series, new);
                self.rig.change(with(self.max), self.now);
            }
            Step::Sweep => self.rig.admissions.sweep(self.now, IDLE, false),
        }
        prop_assert_eq!(self.rig.usage(self.now).admitted, self.model.admitted.len() as u64);
        Ok(())
    }

    fn decide(&mut self, wanted: Vec<(u64, u64)>) -> Result<(), TestCaseError> {
        let (mut reserved, mut holds) = (Reserved::default(), BTreeSet::new());
        for (series, drawn) in wanted {
            let group = *self.groups.entry(series).or_insert(drawn);
            let answer = self.rig.ask(&ask(series, group, self.now));
            if self.model.admitted.contains_key(&series) {
                prop_assert_eq!(answer, Answer::Admitted);
                continue;
            }
            let max = (self.max.0 as usize, self.max.1 as usize);
            let room = self.model.held.contains_key(&series) || self.model.has_room(group, max, self.now);
            prop_assert_eq!(answer, if room { Answer::Reserved } else { EXCEEDED });
            if room {
                reserved.push(&self.rig.admissions, print(series));
                self.model.held.entry(series).or_insert((group, true));
                holds.insert(series);
            }
        }
        self.in_hand.push((reserved, holds));
        Ok(())
    }

    fn answer(&mut self, at: usize, well: bool) {
        let (reserved, holds) = self.in_hand.remove(at);
        if well {
            reserved.commit(self.now);
        }
        drop(reserved);
        for series in holds {
            let Some((group, is_new)) = self.model.held.get(&series).copied() else { continue };
            if well {
                self.model.held.remove(&series);
                self.model.admitted.insert(series, group);
                self.model.came.extend(is_new.then_some((group, self.now)));
            } else if !self.is_held(series) {
                self.model.held.remove(&series);
            }
        }
    }

    fn end(&mut self, series: u64) {
        self.rig.admissions.end([print(series)]);
        if let Some(group) = self.model.admitted.remove(&series)
            && self.is_held(series)
        {
            // who held a place for it until now goes on to
            self.model.held.insert(series, (group, false));
        }
    }

    /// Whether a request in hand holds a place for it.
    fn is_held(&self, series: u64) -> bool {
        self.in_hand.iter().any(|(_, holds)| holds.contains(&series))
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]
    #[test]
    fn a_limit_never_admits_more_and_never_holds_what_is_admitted(
        steps in proptest::collection::vec(step(), 1..120),
    ) {
        let mut play = Play::new((3, 5));
        for step in steps {
            play.take(step)?;
        }
        play.in_hand.clear();
        let later = play.now + 4000;
        play.rig.admissions.end(play.model.admitted.keys().copied().map(print));
        play.rig.admissions.sweep(later, IDLE, false);
        prop_assert_eq!(play.rig.usage(later).groups, 0, "nothing leaks");
    }
}
