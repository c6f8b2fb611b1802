//! What was asked, from the query string and from the body of a POST.

use super::{Asked, Refused};
use crate::policy::{MatchOp, Selector};

/// Names and values, in order.
pub(super) struct Query {
    pairs: Vec<(String, String)>,
    tenant: Option<String>,
}

impl Query {
    pub(super) fn parse(asked: &Asked<'_>) -> Self {
        let pairs = form_urlencoded::parse(asked.query.as_bytes())
            .chain(form_urlencoded::parse(asked.body))
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self { pairs, tenant: asked.tenant.map(str::to_owned) }
    }

    /// The last value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().rev().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// All values of a parameter.
    pub(super) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        self.pairs.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_str())
    }

    /// The tenant that is asked about: `tenant`, or the tenant header.
    pub(super) fn tenant(&self) -> Option<&str> {
        self.get("tenant").or(self.tenant.as_deref())
    }

    /// A number within bounds.
    pub(super) fn number(
        &self,
        name: &str,
        default: usize,
        (least, most): (usize, usize),
    ) -> Result<usize, Refused> {
        let Some(text) = self.get(name) else { return Ok(default) };
        match text.parse() {
            Ok(value) if (least..=most).contains(&value) => Ok(value),
            _ => Err(format!("`{name}` must be a number from {least} to {most}, not `{text}`")),
        }
    }

    /// One of some words.
    pub(super) fn one_of(&self, name: &str, words: &[&'static str]) -> Result<&'static str, Refused> {
        let Some(text) = self.get(name) else { return Ok(words[0]) };
        let found = words.iter().find(|word| **word == text);
        found.copied().ok_or_else(|| format!("`{name}` must be one of {}, not `{text}`", words.join(", ")))
    }

    /// The metric that selectors of this name select; none where they select everything. We keep counts, not series:
    /// other selectors cannot be answered.
    pub(super) fn metric(&self, name: &str) -> Result<Option<String>, Refused> {
        let mut found = None;
        for text in self.all(name).filter(|text| !text.is_empty()) {
            let selector = Selector::parse(text).map_err(|error| format!("`{name}`: {error}"))?;
            match &selector.matchers[..] {
                [] => {}
                [one] if one.name == "__name__" && one.op == MatchOp::Equal && found.is_none() => {
                    found = Some(one.value.clone());
                }
                _ => {
                    return Err(format!(
                        "`{name}={text}` cannot be answered: this gate keeps counts and sketches, not series; only `{{}}` \
                         and the name of one metric can"
                    ));
                }
            }
        }
        Ok(found)
    }
}
