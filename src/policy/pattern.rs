//! Patterns of `=~` and `!~`, in the dialect that Prometheus has them: Go's package regexp, compiled as
//! `^(?s:…)$`. A parser of that dialect (`translate`) writes each pattern again for Rust's regex engine, so
//! that it matches what it matches there, and is refused where it is refused there.
//!
//! The rules are those of Go 1.26 (<https://pkg.go.dev/regexp/syntax>) with Unicode 15.0. What is left:
//!
//! - Groups and repetitions nest up to 250 deep, a pattern compiles to 2 MiB at most and its classes are
//!   bounded; Go allows 1000 levels and 128 MiB. Refused, with an error that says so.
//! - `\p{…}` knows scripts of one word only, as in Go 1.26; `\p{Old_Italic}` is refused here and there.
//! - A lone surrogate, `\x{D800}`, matches nothing. In Go it matches U+FFFD within the literal text that a
//!   pattern starts with, by the way that text is kept, and nothing elsewhere.
//! - A pattern that ends within `\Q` ends the quotation, as in a Prometheus matcher. In a relabeling rule
//!   Prometheus would go on and quote its own closing bracket, and refuse the pattern for it.

mod class;
mod coverage;
mod error;
mod escape;
mod flags;
mod group;
mod limits;
mod output;
mod property;
mod repeat;
mod shape;
#[cfg(test)]
mod tests;
mod translate;

use std::sync::Arc;

use regex_automata::meta::{BuildError, Config, Regex};
use regex_automata::util::captures::Captures;
use regex_automata::util::syntax;

pub(crate) use self::coverage::{Coverage, coverage};
pub use self::error::PatternError;
pub(in crate::policy) use self::limits::NEST_LIMIT;
pub(crate) use self::shape::{Shape, endings, shape};
pub(in crate::policy) use self::translate::translate;

use self::error::LARGE;
use self::limits::{CACHE_LIMIT, NFA_LIMIT};

/// A pattern that has to match the whole value.
#[derive(Clone, Debug)]
pub struct Pattern {
    text: Arc<str>,
    names: Arc<[Option<Box<str>>]>,
    regex: Regex,
}

impl Pattern {
    /// Compiles a pattern, as Prometheus has it: without anchors of its own.
    ///
    /// # Errors
    ///
    /// Where Go refuses it, and where it is too deep or too large for the engine; see the module.
    pub fn compile(pattern: &str) -> Result<Pattern, PatternError> {
        let translated = translate(pattern)?;
        let config =
            Config::new().nfa_size_limit(Some(NFA_LIMIT)).hybrid_cache_capacity(CACHE_LIMIT).utf8_empty(true);
        let regex = Regex::builder()
            .configure(config)
            .syntax(syntax::Config::new().nest_limit(NEST_LIMIT))
            .build(&whole(&translated.text))
            .map_err(|error| refused(&error))?;
        Ok(Pattern { text: pattern.into(), names: translated.names.into(), regex })
    }

    /// Whether it matches the whole value.
    pub fn is_match(&self, value: &str) -> bool {
        self.regex.is_match(value)
    }

    /// The same, and leaves in `into` what each group matched; `into` is from [`Pattern::new_captures`] and
    /// may be used again for other values of the same pattern. Allocates nothing once the engine has run on
    /// this thread.
    pub fn captures(&self, value: &str, into: &mut Captures) -> bool {
        self.regex.captures(value, into);
        into.is_match()
    }

    /// Room for what the groups match. A group that it does not have, or that took no part, is `None`.
    pub fn new_captures(&self) -> Captures {
        self.regex.create_captures()
    }

    /// The groups: their names, where they have one. The first is the whole match.
    pub fn names(&self) -> &[Option<Box<str>>] {
        &self.names
    }

    /// What it takes in memory, without the caches of the threads that use it.
    pub fn bytes(&self) -> usize {
        self.regex.memory_usage() + self.text.len()
    }

    /// The pattern as it was given.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The pattern in the dialect of the `regex` crate, to match the whole value; to be parsed with [`NEST_LIMIT`].
pub(in crate::policy) fn anchored(pattern: &str) -> Result<String, PatternError> {
    Ok(whole(&translate(pattern)?.text))
}

fn whole(translated: &str) -> String {
    format!("^(?s:{translated})$")
}

/// The engine refuses nothing that was translated, except for its size.
fn refused(error: &BuildError) -> PatternError {
    let message = match error.size_limit() {
        Some(limit) => format!("{LARGE}: it compiles to more than {} MiB", limit >> 20),
        None => format!("expression not understood by the engine: {error}"),
    };
    PatternError::new(message, 0)
}
