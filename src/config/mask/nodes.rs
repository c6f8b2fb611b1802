//! Secrets in a text that could be read. Where each value begins and ends is known there, whatever stands in it.

use std::collections::BTreeSet;

use super::doubtful::{self, IsPlain};
use super::{is_reference, names_a_secret};
use crate::config::position::Position;
use crate::config::yaml::{Kind, Node};

/// A value of which not all may be shown.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// What of it may be shown is told by what URLs consist of; else it is nothing.
    pub(crate) is_url: bool,
}

/// What is shown of a value, by the key in front of it.
#[derive(Clone, Copy)]
enum Rule {
    All,
    /// Policies have texts of any kind.
    Free,
    Nothing,
    Url,
    /// All of a text that this holds of.
    If(IsPlain),
    /// A mapping belongs here, and by its keys it is shown. Anything else is nothing of ours.
    Mapping,
    /// Names, and of their values what this holds of.
    Pairs(IsPlain),
}

/// What must not be shown of a document. `unknown` keys may be misspelt names of secrets.
pub(in crate::config) fn guarded(document: &Node<'_>, unknown: &BTreeSet<Position>) -> Vec<Guarded> {
    let mut walk = Walk { unknown, found: Vec::new() };
    walk.node(document, Rule::Mapping);
    walk.found
}

struct Walk<'u> {
    unknown: &'u BTreeSet<Position>,
    found: Vec<Guarded>,
}

impl Walk<'_> {
    fn node(&mut self, node: &Node<'_>, rule: Rule) {
        match (&node.kind, rule) {
            (Kind::Scalar { text, .. }, rule) => {
                let is_shown = match rule {
                    Rule::Free => true,
                    Rule::All => !text.contains("://"),
                    Rule::If(is_plain) => is_plain(text),
                    Rule::Url | Rule::Nothing | Rule::Mapping | Rule::Pairs(_) => false,
                };
                if !is_shown && !is_variable(text) {
                    let is_url = matches!(rule, Rule::Url | Rule::All);
                    self.found.push(Guarded { from: node.position, to: node.end, is_url });
                }
            }
            (Kind::List(items), Rule::Pairs(_)) => {
                items.iter().for_each(|item| self.node(item, Rule::Nothing))
            }
            (Kind::List(items), rule) => items.iter().for_each(|item| self.node(item, rule)),
            (Kind::Mapping(entries), rule) => {
                entries.iter().for_each(|(key, value)| self.entry(key, value, rule));
            }
            // where it is defined it may have been taken for something else
            (Kind::Anchored(node) | Kind::Alias(node), rule) => self.node(node, rule),
        }
    }

    fn entry(&mut self, key: &Node<'_>, value: &Node<'_>, rule: Rule) {
        let rule_of_value = match (rule, &key.meant().kind) {
            (Rule::Nothing | Rule::Url | Rule::If(_), _) => {
                self.node(key, Rule::Nothing);
                Rule::Nothing
            }
            (Rule::Pairs(is_plain), _) => Rule::If(is_plain),
            (_, Kind::Scalar { text, .. }) if !self.unknown.contains(&key.position) => match rule {
                Rule::Free => Rule::Free,
                _ => rule_of(text),
            },
            // a mapping as a key is nothing of ours
            _ => {
                self.unnamed(key);
                Rule::Nothing
            }
        };
        self.node(value, rule_of_value);
    }

    fn unnamed(&mut self, key: &Node<'_>) {
        if !matches!(key.meant().kind, Kind::Scalar { .. }) {
            self.node(key, Rule::Nothing);
        }
    }
}

fn rule_of(key: &str) -> Rule {
    let name = key.to_ascii_lowercase();
    match name.as_str() {
        "upstreams" | "tls" | "basic_auth" => Rule::Mapping,
        "policies" => Rule::Free,
        "url" => Rule::Url,
        "headers" => Rule::Pairs(|_| false),
        "headers_from_files" => Rule::Pairs(doubtful::is_plain_path),
        _ if names_a_secret(&name) => Rule::Nothing,
        _ => doubtful::rule(&name).map_or(Rule::All, Rule::If),
    }
}

fn is_variable(text: &str) -> bool {
    is_reference(&text.chars().collect::<Vec<_>>())
}
