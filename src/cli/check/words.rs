//! What is to be said of a rule, in words.

mod misread;

use super::cause::Cause;
use super::impact::Impact;
use super::reads::How;
use crate::config::listed;
use crate::policy::{Definition, Mode};

/// `` policy `x` drops ``, and what it would do in preview.
pub(super) fn doing(policy: &Definition, does: &str, would: &str) -> String {
    match policy.mode {
        Mode::Enforce => format!("policy `{}` {does}", policy.name),
        Mode::Preview => format!("policy `{}` (preview) would {would}", policy.name),
    }
}

/// `subject` is the rule, or a text of it.
pub(super) fn sentence(subject: &str, policy: &Definition, impact: &Impact, names: &[String]) -> String {
    let first = names.first().map_or("", String::as_str);
    let names = listed(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let some = if impact.all { "" } else { "some of " };
    let read = format!("{subject} reads {names}");
    match &impact.cause {
        Cause::Drops if impact.all => format!("{read}, all of which {}", doing(policy, "drops", "drop")),
        Cause::Drops => format!("{read}, of which {} some", doing(policy, "drops", "drop")),
        Cause::Holds => format!("{read}, of which {} some", doing(policy, "holds", "hold")),
        Cause::Renames(to) => {
            let doing = doing(policy, "renames", "rename");
            let to = to.as_ref().map(|to| format!(" to `{to}`")).unwrap_or_default();
            format!("{read}, {some}which {doing}{to}")
        }
        Cause::Unnames => {
            format!("{read}, {some}which {} without a name", doing(policy, "leaves", "leave"))
        }
        Cause::Removes(used) => {
            let doing = doing(policy, "removes", "remove");
            format!("{subject} {} `{}`, which {doing} from {some}{names}", verb(used.how), used.label)
        }
        Cause::Parts(other) => {
            let doing = doing(policy, "removes", "remove");
            format!(
                "{subject} matches {some}{names} with `{other}` on all labels, some of which {doing} from the former only; say on \
                 which with `on`"
            )
        }
        Cause::Overwrites(used) => {
            let doing = doing(policy, "overwrites", "overwrite");
            format!("{subject} {} `{}`, which {doing} in {some}{names}", verb(used.how), used.label)
        }
        Cause::Misreads(value, how) => {
            let keeps = doing(policy, "keeps", "keep");
            let of = if impact.all { "of" } else { "of some of" };
            let (does, why) = (misread::does(how, &names), misread::why(*value, how));
            let instead = misread::instead(policy, *value, how, first);
            format!("{subject} {does}, {of} which {keeps} {}, {why}; {instead}", misread::kept(*value))
        }
    }
}

/// What an expression does with a label.
fn verb(how: How) -> &'static str {
    match how {
        How::Selects => "selects by",
        How::GroupsBy => "groups by",
        How::Without => "aggregates without",
        How::MatchesOn => "matches on",
        How::Ignores => "matches ignoring",
        How::TakesOver => "takes over",
        How::Derives => "makes a label of",
        How::Quantile => "computes quantiles by",
        How::Sorts => "sorts by",
        How::Shows => "uses",
        How::Keeps => "keeps",
        How::AllBut(_) | How::MatchesAll(_) => "matches on all labels, and so on",
    }
}
