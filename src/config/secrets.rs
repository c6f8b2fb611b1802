//! What a config takes from outside itself: environment variables, and files that it names.

/// Stands in the place of a value that is not asked for. It is a header's value, a host, a user and a part of a path alike.
const STAND_IN: &str = "absent";

/// Whether secrets are asked for.
#[derive(Clone, Copy)]
pub enum Secrets<'e> {
    /// They are: environment variables by name, and files.
    Asked(&'e dyn Fn(&str) -> Option<String>),
    /// They are not, and need not be there: for whoever asks what policies do, and never talks to an upstream.
    NotAsked,
}

impl Secrets<'_> {
    /// Whether the config has its secrets, and no stand-ins.
    pub(super) fn are_asked_for(self) -> bool {
        matches!(self, Self::Asked(_))
    }

    /// The value of an environment variable.
    pub(super) fn variable(self, name: &str) -> Option<String> {
        match self {
            Self::Asked(env) => env(name),
            Self::NotAsked => Some(STAND_IN.to_owned()),
        }
    }

    /// What stands in the place of a file's content, if it is not asked for.
    pub(super) fn instead_of_file(self) -> Option<String> {
        match self {
            Self::Asked(_) => None,
            Self::NotAsked => Some(STAND_IN.to_owned()),
        }
    }

    /// What stands in the place of a URL, if a part of it is not asked for. Which part that is nobody knows: scheme, host and path
    /// may be in one variable.
    pub(super) fn instead_of_url(self, written: &str, refers: bool) -> Option<String> {
        let is_http = written.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("http://"));
        let scheme = if is_http { "http" } else { "https" };
        match self {
            Self::NotAsked if refers => Some(format!("{scheme}://{STAND_IN}.invalid/api/v1/write")),
            _ => None,
        }
    }
}
