//! The parser: a cursor over the text, one function a rule.

use super::escape::escape;
use super::{METRIC_NAME, MatchOp, Matcher, Selector, SelectorError};
use crate::policy::pattern::Pattern;
use crate::series::quote;

/// A matcher and where its parts stand.
struct Placed {
    matcher: Matcher,
    name_at: usize,
    op_at: usize,
    value_at: usize,
}

pub(super) fn selector(text: &str) -> Result<Selector, SelectorError> {
    let placed = Cursor { text, at: 0 }.series()?;
    for Placed { matcher, value_at, .. } in &placed {
        if matches!(matcher.op, MatchOp::Regex | MatchOp::NotRegex) {
            Pattern::compile(&matcher.value).map_err(|reason| SelectorError {
                message: format!("the regex of `{}`: {reason}", quote::cited(&matcher.name)),
                offset: Cursor { text, at: *value_at }.place(reason.offset),
            })?;
        }
    }
    Ok(Selector { matchers: placed.into_iter().map(|placed| placed.matcher).collect() })
}

/// Reads one series, `name{label="value", …}`: its labels sorted by name. A label with an empty value is the
/// same as no label and left out.
pub fn parse_series(text: &str) -> Result<Vec<(String, String)>, SelectorError> {
    let mut placed = Cursor { text, at: 0 }.series()?;
    if let Some(other) = placed.iter().find(|placed| placed.matcher.op != MatchOp::Equal) {
        return Err(fault("a series has only `=`", other.op_at));
    }
    placed.sort_by(|a, b| a.matcher.name.cmp(&b.matcher.name));
    if let Some(twice) = placed.windows(2).find(|pair| pair[0].matcher.name == pair[1].matcher.name) {
        return Err(fault(
            format!("the label `{}` is given twice", quote::cited(&twice[1].matcher.name)),
            twice[1].name_at,
        ));
    }
    let labels = placed.into_iter().map(|placed| (placed.matcher.name, placed.matcher.value));
    Ok(labels.filter(|(_, value)| !value.is_empty()).collect())
}

fn fault(message: impl Into<String>, offset: usize) -> SelectorError {
    SelectorError { message: message.into(), offset }
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn series(mut self) -> Result<Vec<Placed>, SelectorError> {
        let mut placed = Vec::new();
        let mut metric = None;
        self.spaces();
        let at = self.at;
        let name = self.word(|c| c == ':');
        if !name.is_empty() {
            metric = Some(placed.len());
            placed.push(metric_name(name.to_owned(), at));
        } else if self.rest().starts_with(['"', '\'', '`']) {
            return Err(self.fault("a quoted metric name stands inside braces: {\"my.metric\"}"));
        }
        self.spaces();
        if self.take("{") {
            self.braces(&mut placed, &mut metric)?;
        } else if metric.is_none() {
            return Err(self.fault("expected a metric name or `{`"));
        }
        self.end()?;
        if let Some(metric) = metric {
            let mut others = placed.iter().enumerate().filter(|(at, _)| *at != metric);
            if let Some((_, twice)) = others.find(|(_, placed)| placed.matcher.name == METRIC_NAME) {
                let message = format!(
                    "the metric name is given twice, see `{}`",
                    quote::cited(&placed[metric].matcher.value)
                );
                return Err(fault(message, twice.name_at));
            }
        }
        Ok(placed)
    }

    fn braces(&mut self, placed: &mut Vec<Placed>, metric: &mut Option<usize>) -> Result<(), SelectorError> {
        loop {
            self.spaces();
            if self.take("}") {
                return Ok(());
            }
            let name_at = self.at;
            let quoted = self.rest().starts_with(['"', '\'', '`']);
            let name = if quoted { self.quoted()? } else { self.word(|_| false).to_owned() };
            if name.is_empty() {
                let message = if quoted { "the name is empty" } else { "expected a label name or `}`" };
                return Err(fault(message, name_at));
            }
            self.spaces();
            if quoted && (self.rest().is_empty() || self.rest().starts_with([',', '}'])) {
                if metric.is_some() {
                    return Err(fault("the metric name is given twice", name_at));
                }
                *metric = Some(placed.len());
                placed.push(metric_name(name, name_at));
            } else {
                let op_at = self.at;
                let op = self.operator()?;
                self.spaces();
                let value_at = self.at;
                let value = self.quoted()?;
                placed.push(Placed { matcher: Matcher { name, op, value }, name_at, op_at, value_at });
            }
            self.spaces();
            if !self.take(",") && !self.rest().starts_with('}') {
                return Err(self.fault("expected `,` or `}`"));
            }
        }
    }

    /// Nothing may follow. What PromQL would allow here is named, for it was meant.
    fn end(&mut self) -> Result<(), SelectorError> {
        self.spaces();
        let rest = self.rest();
        let message = match rest.chars().next() {
            None => return Ok(()),
            Some('[') => "a range has no meaning here: a selector names series",
            Some('@') => "`@` has no meaning here: a selector names series",
            Some('(') => "expected a selector, not a function or an aggregation",
            Some('{') => "expected the end; a selector has braces once",
            Some('.' | '*') => "a name is no regex; by one it is selected as {__name__=~\"kube_.*\"}",
            _ if rest.get(..6).is_some_and(|word| word.eq_ignore_ascii_case("offset")) => {
                "`offset` has no meaning here: a selector names series"
            }
            _ => "expected the end; a selector is not an expression, alternatives go into a list",
        };
        Err(self.fault(message))
    }

    fn operator(&mut self) -> Result<MatchOp, SelectorError> {
        for (text, op) in [("=~", MatchOp::Regex), ("!~", MatchOp::NotRegex), ("!=", MatchOp::NotEqual)] {
            if self.take(text) {
                return Ok(op);
            }
        }
        if self.take("=") { Ok(MatchOp::Equal) } else { Err(self.fault("expected `=`, `!=`, `=~` or `!~`")) }
    }

    /// A string as Go has them: quotes with escapes, or backticks without.
    fn quoted(&mut self) -> Result<String, SelectorError> {
        let start = self.at;
        let Some(quote) = self.rest().chars().next().filter(|c| matches!(c, '"' | '\'' | '`')) else {
            return Err(self.fault("expected a quoted value"));
        };
        self.at += 1;
        let mut value = Vec::new();
        loop {
            let Some(c) = self.rest().chars().next().filter(|c| *c != '\n' || quote == '`') else {
                return Err(fault("the quote is not closed", start));
            };
            if c == quote {
                self.at += 1;
                return String::from_utf8(value).map_err(|_| fault("the value is not UTF-8", start));
            }
            self.quoted_char(c, quote, &mut value)?;
        }
    }

    fn quoted_char(&mut self, c: char, quote: char, value: &mut Vec<u8>) -> Result<(), SelectorError> {
        if c == '\\' && quote != '`' {
            return self.escape(quote, value);
        }
        self.at += c.len_utf8();
        value.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    /// Where in the text a byte of the quoted value stands whose quote opens here and was read before: an
    /// escape is longer than what it stands for.
    fn place(mut self, offset: usize) -> usize {
        let Some(quote) = self.rest().chars().next() else { return self.at };
        self.at += 1;
        let mut value = Vec::new();
        while value.len() < offset
            && let Some(c) = self.rest().chars().next()
            && self.quoted_char(c, quote, &mut value).is_ok()
        {}
        self.at
    }

    fn escape(&mut self, quote: char, value: &mut Vec<u8>) -> Result<(), SelectorError> {
        let unknown = || fault("unknown escape; in a regex write `\\\\`, or put it in backticks", self.at);
        self.at += escape(self.rest(), quote, value).ok_or_else(unknown)?;
        Ok(())
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn spaces(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        self.at += if found { token.len() } else { 0 };
        found
    }

    /// A bare name; empty where none starts.
    fn word(&mut self, also: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || also(c);
        if rest.starts_with(|c: char| c.is_ascii_digit()) {
            return "";
        }
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn fault(&self, message: &str) -> SelectorError {
        fault(message, self.at)
    }
}

fn metric_name(value: String, at: usize) -> Placed {
    let matcher = Matcher { name: METRIC_NAME.to_owned(), op: MatchOp::Equal, value };
    Placed { matcher, name_at: at, op_at: at, value_at: at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let matchers = selector(text).unwrap_or_else(|e| panic!("{text}: {e}")).matchers;
        let all: Vec<_> = matchers.iter().map(|m| format!("{}{}{}", m.name, m.op, m.value)).collect();
        all.join(",")
    }

    #[test]
    fn selectors_as_prometheus_reads_them() {
        for (text, expected) in [
            ("up", "__name__=up"),
            (" up ", "__name__=up"),
            ("job:up:sum{}", "__name__=job:up:sum"),
            ("{}", ""),
            ("{ }", ""),
            ("up{job=\"a\",}", "__name__=up,job=a"),
            ("up { job != 'a' , x =~ `\\d+` , y!~\"a|b\" }", "__name__=up,job!=a,x=~\\d+,y!~a|b"),
            (r#"{"my.metric", "label.name"="v"}"#, "__name__=my.metric,label.name=v"),
            (r#"{a="1", 'my metric'}"#, "a=1,__name__=my metric"),
            (r#"{__name__=~"a.*", __name__!="ab"}"#, "__name__=~a.*,__name__!=ab"),
            (r#"{a="\"\\\n\t\x41\101\u00e9\U0001F600"}"#, "a=\"\\\n\tAA\u{e9}\u{1F600}"),
            (r#"{a="\xc3\xa9"}"#, "a=\u{e9}"),
            ("{a=`x\ny`}", "a=x\ny"),
            (r#"{a="é"}"#, "a=é"),
        ] {
            assert_eq!(shown(text), expected, "{text}");
        }
    }

    #[test]
    fn mistakes_are_told_with_their_place() {
        for (text, offset, message) in [
            ("", 0, "expected a metric name or `{`"),
            ("5up", 0, "expected a metric name or `{`"),
            ("\"my.metric\"", 0, "inside braces"),
            ("up{job}", 6, "expected `=`"),
            ("up{job=x}", 7, "expected a quoted value"),
            ("up{job=\"x\"", 10, "expected `,` or `}`"),
            ("up{,}", 3, "expected a label name or `}`"),
            ("up{\"\"=\"x\"}", 3, "the name is empty"),
            ("up{a:b=\"x\"}", 4, "expected `=`"),
            ("up{job=\"x}", 7, "the quote is not closed"),
            ("up{job=\"x\n\"}", 7, "the quote is not closed"),
            (r#"{a="\d"}"#, 4, "unknown escape"),
            (r#"{a="\'"}"#, 4, "unknown escape"),
            (r#"{a="\x4"}"#, 4, "unknown escape"),
            (r#"{a="\xff"}"#, 3, "not UTF-8"),
            (r#"{a="\ud800"}"#, 4, "unknown escape"),
            (r#"{a=~"x("}"#, 6, "the regex of `a`: missing closing )"),
            (r#"{a=~"x)(y"}"#, 6, "the regex of `a`: unexpected )"),
            (r#"{a=~"\\d\x2b\u00e9(?=x)"}"#, 18, "the regex of `a`: invalid or unsupported Perl syntax"),
            (r#"{a=~`\d**`}"#, 7, "the regex of `a`: invalid nested repetition"),
            (r#"up{"down"}"#, 3, "given twice"),
            (r#"up{__name__="down"}"#, 3, "given twice"),
            (r#"{"up", "down"}"#, 7, "given twice"),
            ("up[5m]", 2, "range"),
            ("up{} offset 5m", 5, "`offset`"),
            ("up @ 5", 3, "`@`"),
            ("sum(up)", 3, "function"),
            ("up{}{}", 4, "braces once"),
            ("up or down", 3, "not an expression"),
        ] {
            let error = selector(text).expect_err(text);
            assert_eq!(error.offset, offset, "{text}: {error}");
            assert!(error.message.contains(message), "{text}: {error}");
        }
    }

    #[test]
    fn series_are_sorted_and_have_each_label_once() {
        let labels = parse_series(r#"up{z="1", a="2", "b.c"="3", gone=""}"#).unwrap();
        let labels: Vec<_> = labels.iter().map(|(n, v)| format!("{n}={v}")).collect();
        assert_eq!(labels.join(" "), "__name__=up a=2 b.c=3 z=1");
        for (text, offset) in
            [("up{a!=\"1\"}", 4), ("up{a=\"1\",a=\"2\"}", 9), ("{\"\"=\"x\"}", 1), ("up{} 5", 5)]
        {
            assert_eq!(parse_series(text).expect_err(text).offset, offset, "{text}");
        }
    }

    #[test]
    fn a_name_that_looks_like_a_regex_is_answered_with_one() {
        let error = selector("kube_.*").unwrap_err();
        assert!(error.message.contains("{__name__=~\"kube_.*\"}") && error.offset == 5, "{error:?}");
        assert!(selector("{__name__=~\"kube_.*\"}").is_ok());
    }
}
