//! A gate's answer as text.

use std::borrow::Cow;

use serde_json::Value;

use super::table::{Align, Table};
use crate::cli::demo::with_commas;
use crate::series::quote;

/// How text is decorated.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) colour: bool,
}

impl Style {
    fn strong(self, text: &str) -> String {
        if self.colour { format!("\x1b[1;31m{text}\x1b[0m") } else { text.to_owned() }
    }

    fn title(self, text: &str) -> String {
        if self.colour { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Findings said in full.
const FINDINGS: usize = 10;
/// Remedies shown.
const REMEDIES: usize = 3;

/// `/api/v1/churn`.
pub(super) fn churn(answer: &Value, style: Style) -> String {
    let mut out = headline(answer);
    let findings = list(&answer["findings"]);
    match findings.first() {
        None if answer["warming_up"] == true => {
            out.push_str("\nStill learning what is there; findings come after series.warmup.\n");
        }
        None => out.push_str("\nNothing multiplies series: there is nobody to name.\n"),
        Some(worst) => {
            out.push_str(&format!("\n{}\n", style.strong(&format!("{}.", capital(&sentence(worst))))));
        }
    }
    for finding in findings.iter().skip(1).take(FINDINGS - 1) {
        out.push_str(&format!("- {}.\n", sentence(finding)));
    }
    if findings.len() > FINDINGS {
        out.push_str(&format!("- and {} more (--json has them all)\n", findings.len() - FINDINGS));
    }
    out.push('\n');
    out.push_str(&rows(answer, style));
    out.push_str(&remedies(findings, style));
    out
}

fn headline(answer: &Value) -> String {
    format!(
        "{}  watching since {}\n{} active series, {} new in the last hour, {} in the last minute\n",
        text(&answer["at"]),
        text(&answer["watching_since"]),
        number(&answer["active_series"]),
        number(&answer["new_series_last_hour"]),
        number(&answer["new_series_last_minute"]),
    )
}

fn rows(answer: &Value, style: Style) -> String {
    let by = &*text(&answer["by"]);
    let rows = list(&answer["rows"]);
    let (left, right) = (Align::Left, Align::Right);
    let mut table = match by {
        "label" => Table::new(&[
            ("label", left),
            ("values", right),
            ("series", right),
            ("new series/h", right),
            ("most series", left),
        ]),
        _ => Table::new(&[
            ("name", left),
            ("active", right),
            ("new series/h", right),
            ("median lifetime", right),
            ("samples/series", right),
            ("because of", left),
        ]),
    };
    for row in rows {
        let name = match &*text(&row["name"]) {
            "" => "(others)".to_owned(),
            name => name.to_owned(),
        };
        table.row(match by {
            "label" => vec![
                name,
                number(&row["values"]),
                number(&row["active_series"]),
                number(&row["new_series_last_hour"]),
                most(row),
            ],
            _ => vec![
                name,
                number(&row["active_series"]),
                number(&row["new_series_last_hour"]),
                lifetime(&row["lifetime_seconds"]),
                row["samples_per_series"].as_f64().map_or("-".to_owned(), |samples| format!("{samples:.1}")),
                because(row),
            ],
        });
    }
    let total = answer["rows_total"].as_u64().unwrap_or(0);
    let title = style.title(&format!("by {by}, {} of {}", rows.len(), with_commas(total)));
    format!("{title}\n{}", table.render())
}

/// The labels that most new series of a row blame.
fn because(row: &Value) -> String {
    let Some(cause) = list(&row["causes"]).first() else { return String::new() };
    let labels: Vec<_> = list(&cause["changed_labels"]).iter().map(text).collect();
    match (labels.is_empty(), &*text(&cause["pattern"])) {
        (true, _) => "new combinations".to_owned(),
        (_, "") => labels.join("+"),
        (_, pattern) => format!("{} ({pattern})", labels.join("+")),
    }
}

fn most(row: &Value) -> String {
    let values = list(&row["top_values"]).iter().take(3);
    let shown = values.map(|value| format!("{} ({})", cut(&text(&value["value"])), number(&value["series"])));
    shown.collect::<Vec<_>>().join(", ")
}

fn cut(value: &str) -> String {
    match value.char_indices().nth(32) {
        Some((at, _)) => format!("{}…", &value[..at]),
        None => value.to_owned(),
    }
}

fn lifetime(lifetimes: &Value) -> String {
    match (&lifetimes["p50"], lifetimes.is_null()) {
        (_, true) => "-".to_owned(),
        (seconds, _) => match seconds.as_u64() {
            Some(seconds) if seconds < 3600 => format!("{} min", seconds / 60),
            Some(seconds) => format!("{} h", seconds / 3600),
            None => "over 30 d".to_owned(),
        },
    }
}

/// What is found, and whether the policy against it is in the config already.
fn sentence(finding: &Value) -> String {
    let said = match &*text(&finding["advice"]) {
        "" => text(&finding["sentence"]).into_owned(),
        advice => format!("{}; {advice}", text(&finding["sentence"])),
    };
    match &*text(&finding["remedy"]["in_force"]) {
        "" => said,
        "preview" => {
            format!("its policy is in preview: it shows what it would take, and takes nothing; {said}")
        }
        _ => format!("its policy is in force; {said}"),
    }
}

fn remedies(findings: &[Value], style: Style) -> String {
    let missing = |remedy: &&Value| !remedy.is_null() && remedy["in_force"].is_null();
    let all = findings.iter().map(|finding| &finding["remedy"]).filter(missing);
    let (wrong, right): (Vec<&Value>, Vec<&Value>) = all.partition(|remedy| is_wrong(remedy));
    let mut out = String::new();
    if !right.is_empty() {
        let title = style.title("to paste into the config of the gate");
        out.push_str(&format!("\n{title}\npolicies:\n{}", policies_of(&right)));
    }
    let for_agent = |remedy: &&&Value| !text(&remedy["metric_relabel_configs"]).is_empty();
    if let Some(first) = right.iter().find(for_agent) {
        let title = style.title("the first of them for the agent, in its scrape config");
        out.push_str(&format!(
            "\n{title}\nmetric_relabel_configs:\n{}",
            indented(&first["metric_relabel_configs"])
        ));
    }
    if !wrong.is_empty() {
        let title = "tried on known series and not right: a start, to be changed by hand";
        out.push_str(&format!("\n{}\n{}", style.title(title), policies_of(&wrong)));
    }
    out
}

/// Whether a remedy was tried and takes nothing, or what it should not.
fn is_wrong(remedy: &Value) -> bool {
    matches!(remedy["tried"]["result"].as_str(), Some("takes_none" | "takes_others"))
}

fn policies_of(remedies: &[&Value]) -> String {
    remedies.iter().take(REMEDIES).map(|remedy| indented(&remedy["policy"])).collect()
}

/// `/api/v1/rejected`; nothing where nothing was refused.
pub(super) fn rejected(answer: &Value, style: Style) -> String {
    let rows = list(&answer["rows"]);
    if rows.is_empty() {
        return String::new();
    }
    let total = number(&answer["rows_total"]);
    let title = style.title(&format!("refused lately, the newest of {total} (/api/v1/rejected)"));
    rows.iter().fold(format!("\n{title}\n"), |out, row| {
        let sender = match row["sender"].as_str() {
            Some(address) => quote::shown(address),
            None => "somebody".into(),
        };
        let named = match &*text(&row["user_agent"]) {
            "" => String::new(),
            agent => format!(" ({agent})"),
        };
        let whose = match &*text(&row["tenant"]) {
            "" => String::new(),
            tenant => format!(" for {tenant}"),
        };
        let times = match row["times"].as_u64() {
            Some(1) => "1 time".to_owned(),
            _ => format!("{} times", number(&row["times"])),
        };
        let (at, message) = (text(&row["at"]), text(&row["message"]));
        out + &format!("- {at}: {times} from {sender}{named}{whose}: {message}\n")
    })
}

fn indented(yaml: &Value) -> String {
    let lines = yaml.as_str().unwrap_or_default().lines();
    lines.map(|line| format!("  {}\n", quote::shown(line))).collect()
}

/// `/api/v1/policies`.
pub(super) fn policies(answer: &Value, top: usize) -> String {
    let (left, right) = (Align::Left, Align::Right);
    let mut table = Table::new(&[
        ("policy", left),
        ("action", left),
        ("mode", left),
        ("samples in", right),
        ("samples out", right),
        ("saved series", right),
        ("last matched", left),
    ]);
    for row in list(&answer["policies"]).iter().take(top) {
        table.row(vec![
            text(&row["name"]).into_owned(),
            text(&row["action"]).into_owned(),
            text(&row["mode"]).into_owned(),
            number(&row["samples_in"]),
            number(&row["samples_out"]),
            number(&row["saved_series"]),
            row["last_matched"].as_str().map_or("never".into(), quote::shown).into_owned(),
        ]);
    }
    table.render() + &full_groups(answer)
}

/// The groups that limits admit nothing more of.
fn full_groups(answer: &Value) -> String {
    let mut out = String::new();
    for policy in list(&answer["policies"]) {
        let limit = &policy["limit"];
        let full = list(&limit["fullest"]).iter().filter(|group| group["state"] == "full");
        let named = full.clone().count() as u64;
        let (name, preview) = (text(&policy["name"]), policy["mode"] == "preview");
        let verb = if preview { "would be" } else { "is" };
        full.for_each(|group| out += &format!("- {name} {verb} reached{}\n", in_words(limit, group)));
        let more = limit["groups_full"].as_u64().unwrap_or(0).saturating_sub(named);
        if more > 0 {
            out += &format!("- and by {} more groups\n", with_commas(more));
        }
    }
    if out.is_empty() { out } else { format!("\n{out}") }
}

/// Of which group, and what it holds.
fn in_words(limit: &Value, group: &Value) -> String {
    let (labels, tenant) = (text(&group["group"]), text(&group["tenant"]));
    let of = if labels.is_empty() { String::new() } else { format!(" for {labels}") };
    let whose = if tenant.is_empty() { String::new() } else { format!(" of tenant {tenant}") };
    let most = |max: &Value| max.as_u64().map_or(String::new(), |max| format!(" of {}", with_commas(max)));
    let new = limit["max_new_per_hour"].as_u64().map_or(String::new(), |_| {
        format!(", {}{} within the hour", number(&group["new_last_hour"]), most(&limit["max_new_per_hour"]))
    });
    let (series, max) = (number(&group["series"]), most(&limit["max_series"]));
    format!("{of}{whose}: {series}{max} series admitted{new}, refused {} times", number(&group["refused"]))
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Names in it are the senders' choice: what does not print never reaches the terminal.
fn text(value: &Value) -> Cow<'_, str> {
    quote::shown(value.as_str().unwrap_or_default())
}

fn number(value: &Value) -> String {
    value.as_u64().map_or("-".to_owned(), with_commas)
}

fn capital(sentence: &str) -> String {
    let mut letters = sentence.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn limits_that_are_reached_are_named() {
        let group = |state: &str, group: &str, tenant: &str| json!({ "group": group, "tenant": tenant, "state": state, "series": 5000, "new_last_hour": 7, "refused": 12 });
        let groups = [group("full", "{a=\"b\"}", "t"), group("full", "", ""), group("near", "{a=\"c\"}", "")];
        let limit = json!({ "max_series": 5000, "groups_full": 14, "fullest": groups });
        let hourly = json!({ "max_new_per_hour": 7, "groups_full": 1, "fullest": [group("full", "", "")] });
        let rows = [
            json!({ "name": "all", "mode": "enforce", "limit": limit }),
            json!({ "name": "look", "mode": "preview", "limit": hourly }),
            json!({ "name": "x" }),
        ];
        let shown = policies(&json!({ "policies": rows }), 5);
        let told = "\n- all is reached for {a=\"b\"} of tenant t: 5,000 of 5,000 series admitted, refused 12 times\n\
                    - all is reached: 5,000 of 5,000 series admitted, refused 12 times\n- and by 12 more groups\n\
                    - look would be reached: 5,000 series admitted, 7 of 7 within the hour, refused 12 times\n";
        assert!(shown.ends_with(told), "{shown}");
    }

    #[test]
    fn what_was_refused_is_counted_in_good_grammar() {
        let row = |times: u64| json!({ "at": "t", "times": times, "message": "m", "sender": "127.0.0.1" });
        let answer = json!({ "rows_total": 2, "rows": [row(1), row(1000)] });
        let shown = rejected(&answer, Style { colour: false });
        assert!(
            shown.contains("- t: 1 time from 127.0.0.1: m\n- t: 1,000 times from 127.0.0.1: m\n"),
            "{shown}"
        );
    }
}
