//! Secrets in a text that could be read. Where each value begins and ends is known there, whatever stands in it.

use std::collections::BTreeSet;

use super::doubtful::{self, IsPlain};
use super::{is_reference, names_a_secret};
use crate::config::position::Position;
use crate::config::yaml::{Kind, MERGE_KEY, Node};

/// A value of which not all may be shown.
#[derive(Debug)]
pub(crate) struct Guarded {
    pub(crate) from: Position,
    pub(crate) to: Position,
    /// What of it may be shown is told by what URLs consist of; else it is nothing.
    pub(crate) is_url: bool,
    pub(crate) text: String,
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
    /// A list of mappings belongs here.
    Upstreams,
    /// The same as a mapping, and so is what stands in it: a secret may be below any key where a value has another shape.
    Upstream,
    /// A mapping with keys of ours and no others.
    BasicAuth,
    /// A text, or several of them.
    Single,
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
                    // nothing of ours has a user before it, but a URL
                    Rule::All | Rule::Single => !text.contains("://") && !text.contains('@'),
                    Rule::If(is_plain) => is_plain(text),
                    Rule::Url
                    | Rule::Nothing
                    | Rule::Mapping
                    | Rule::Upstreams
                    | Rule::Upstream
                    | Rule::BasicAuth
                    | Rule::Pairs(_) => false,
                };
                if !is_shown && !is_variable(text) {
                    // of one in several lines the user may stand in the first, and the `@` in another
                    let is_whole = node.position.line == node.end.line;
                    let is_url = matches!(rule, Rule::Url | Rule::All | Rule::Single) && is_whole;
                    self.found.push(Guarded {
                        from: node.position,
                        to: node.end,
                        is_url,
                        text: text.to_string(),
                    });
                }
            }
            (Kind::List(items), rule) => {
                let rule = match rule {
                    Rule::Upstreams => Rule::Upstream,
                    Rule::Upstream | Rule::BasicAuth | Rule::Pairs(_) => Rule::Nothing,
                    rule => rule,
                };
                items.iter().for_each(|item| self.node(item, rule));
            }
            (Kind::Mapping(entries), rule) => {
                entries.iter().for_each(|(key, value)| self.entry(key, value, rule));
            }
            // where it is defined it may have been taken for something else
            (Kind::Anchored(node) | Kind::Alias(node), rule) => self.node(node, rule),
        }
    }

    fn entry(&mut self, key: &Node<'_>, value: &Node<'_>, rule: Rule) {
        let name = match &key.meant().kind {
            Kind::Scalar { text, .. } if is_word(text) => Some(text),
            _ => None,
        };
        let rule = match (rule, name) {
            (Rule::Free, Some(name)) if matches!(&**name, "basic_auth" | "headers") => Rule::Nothing,
            (Rule::Free, _) => Rule::Free,
            (Rule::Nothing | Rule::Url | Rule::If(_) | Rule::Upstreams | Rule::Single, _) | (_, None) => {
                self.node(key, Rule::Nothing);
                Rule::Nothing
            }
            (Rule::Pairs(is_plain), _) => Rule::If(is_plain),
            _ if self.unknown.contains(&key.position) => Rule::Nothing,
            (Rule::BasicAuth, Some(name)) => match rule_of(name) {
                Rule::All => Rule::Nothing,
                rule => rule,
            },
            (Rule::Upstream, Some(name)) => match rule_of(name) {
                Rule::All => Rule::Single,
                rule => rule,
            },
            (_, Some(name)) => rule_of(name),
        };
        let is_apart = matches!(rule, Rule::All | Rule::Single | Rule::If(_)) && is_apart(key, value.meant());
        self.node(value, if is_apart { Rule::Nothing } else { rule });
    }
}

/// Whether a text is not all in the line of its key, and may have been meant for another one.
fn is_apart(key: &Node<'_>, value: &Node<'_>) -> bool {
    let is_text = matches!(value.kind, Kind::Scalar { .. });
    is_text && (value.position.line != key.position.line || value.end.line != key.position.line)
}

/// Whether a text may be a key, or the name of a header, or is a sign at the wrong place. Any other may be a part of a secret.
fn is_word(text: &str) -> bool {
    let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    text == MERGE_KEY || text.len() <= 1 || text.chars().all(of_key)
}

fn rule_of(key: &str) -> Rule {
    let name = key.to_ascii_lowercase();
    match name.as_str() {
        "upstreams" | "users" => Rule::Upstreams,
        "tls" | "auth" | "queue" | "oauth2" => Rule::Upstream,
        "basic_auth" => Rule::BasicAuth,
        "policies" => Rule::Free,
        // what was to be the next key may have become a part of it
        "name" => Rule::If(|text| !text.contains(['"', '\'', '{', '[', ':', '='])),
        "url" | "token_url" => Rule::Url,
        "headers" | "endpoint_params" => Rule::Pairs(|_| false),
        "headers_from_files" => Rule::Pairs(doubtful::is_plain_path),
        _ if names_a_secret(&name) => Rule::Nothing,
        _ => doubtful::rule(&name).map_or(Rule::All, Rule::If),
    }
}

fn is_variable(text: &str) -> bool {
    is_reference(&text.chars().collect::<Vec<_>>())
}
