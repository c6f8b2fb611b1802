//! Functions and aggregations with what they are given.

use super::Refusal;
use super::functions;
use super::kind::Type;
use super::parser::{Parsed, Parser};
use super::tree::{Aggregate, Call, Expr};

impl Parser<'_> {
    /// An aggregation whose name is read.
    pub(super) fn aggregation(&mut self, at: usize, op: String) -> Parsed<Expr> {
        let mut keep = self.keep()?;
        let mut arguments = self.arguments()?;
        if keep.is_none() {
            keep = self.keep()?;
        }
        let takes = 1 + usize::from(functions::has_parameter(&op));
        if arguments.len() != takes {
            let message = format!("`{op}` takes {takes} arguments, not {}", arguments.len());
            return Err(Refusal::metricsql(at, message.replace("1 arguments", "1 argument")));
        }
        let Some((of_at, of)) = arguments.pop() else { return Err(Refusal::syntax(at, "no argument")) };
        fits(&op, of_at, &of, Type::Vector)?;
        let parameter = arguments.pop();
        if let Some((at, parameter)) = &parameter {
            fits(&op, *at, parameter, if op == "count_values" { Type::Text } else { Type::Scalar })?;
        }
        let parameter = parameter.map(|(_, parameter)| parameter);
        Ok(Expr::Aggregate(Box::new(Aggregate { op, keep, parameter, of })))
    }

    /// A call of a function whose name is read.
    pub(super) fn call(&mut self, at: usize, function: String) -> Parsed<Expr> {
        let Some(takes) = functions::arguments(&function) else {
            return Err(functions::unknown(at, &function, "function"));
        };
        let arguments = self.arguments()?;
        let takes = takes.as_bytes();
        let needed = takes.iter().position(|kind| b"?*".contains(kind)).map_or(takes.len(), |at| at - 1);
        let most = match takes.last() {
            Some(b'*') => usize::MAX,
            Some(b'?') => needed + 1,
            _ => needed,
        };
        if !(needed..=most).contains(&arguments.len()) {
            let count = if needed == most { needed.to_string() } else { format!("{needed} or more") };
            let message = format!("`{function}` takes {count} arguments, not {}", arguments.len());
            return Err(Refusal::metricsql(at, message));
        }
        for (n, (at, argument)) in arguments.iter().enumerate() {
            // What may be repeated is the last.
            let kind = takes.get(n).filter(|kind| !b"?*".contains(kind)).or(takes.iter().rev().nth(1));
            fits(&function, *at, argument, functions::kind(kind.copied()))?;
        }
        let arguments = arguments.into_iter().map(|(_, argument)| argument).collect();
        Ok(Expr::Call(Call { function, arguments }))
    }

    /// Expressions in parentheses, each with its place.
    fn arguments(&mut self) -> Parsed<Vec<(usize, Expr)>> {
        let open_at = self.at;
        self.expect("(")?;
        let mut arguments = Vec::new();
        while !self.is(")") {
            arguments.push((self.at, self.expr(0)?));
            if !self.take(",")? {
                break;
            }
            if self.is(")") {
                return Err(Refusal::metricsql(self.at, "expected another argument, found `)`"));
            }
        }
        self.close(open_at, "(", ")")?;
        Ok(arguments)
    }
}

/// MetricsQL makes what is asked for of what is given.
fn fits(whose: &str, at: usize, given: &Expr, asked: Type) -> Parsed<()> {
    if given.kind() == asked {
        return Ok(());
    }
    let message = format!("`{whose}` takes {} here, not {}", asked.name(), given.kind().name());
    let words = matches!((given.kind(), asked), (Type::Text, _) | (_, Type::Text));
    Err(if words { Refusal::syntax(at, message) } else { Refusal::metricsql(at, message) })
}
