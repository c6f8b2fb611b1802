//! What a pattern switches for the rest of a group.

/// What `(?…)` switches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    pub(super) fold_case: bool,
    pub(super) multi_line: bool,
    pub(super) dot_all: bool,
    pub(super) lazy: bool,
}

/// As Prometheus starts: `(?s)`.
pub(super) const START: Flags = Flags { fold_case: false, multi_line: false, dot_all: true, lazy: false };
