//! What stands behind an expression: a range, a subquery, `offset`, `@`.

use super::Refusal;
use super::kind::Type;
use super::parser::{Parsed, Parser};
use super::tree::{Expr, Operator};

impl Parser<'_> {
    pub(super) fn postfix(&mut self) -> Parsed<Expr> {
        let bare = !self.is("(");
        let mut expr = self.primary()?;
        loop {
            let at = self.at;
            let moves = bare && matches!(expr, Expr::Selector(_) | Expr::Range { .. });
            if self.take("[")? {
                expr = self.range(at, expr, bare)?;
            } else if self.take_word("offset")? || self.take("@")? {
                while self.take("+")? || self.take("-")? {}
                let (to, time) = (self.at, self.primary()?);
                if time.kind() != Type::Scalar {
                    return Err(Refusal::syntax(to, "expected a duration or a time"));
                }
                if !moves {
                    return Err(Refusal::metricsql(
                        at,
                        "`offset` and `@` belong to a selector or a subquery",
                    ));
                }
            } else if moves && (self.take_word("smoothed")? || self.take_word("anchored")?) {
            } else {
                return Ok(expr);
            }
        }
    }

    /// What follows the `[`.
    fn range(&mut self, at: usize, of: Expr, bare: bool) -> Parsed<Expr> {
        if !self.is(":") {
            self.duration()?;
        }
        let subquery = self.take(":")?;
        if subquery && !self.is("]") {
            self.duration()?;
        }
        self.close(at, "[", "]")?;
        match of.kind() {
            Type::Vector if subquery || (bare && matches!(of, Expr::Selector(_))) => {
                Ok(Expr::Range { of: Box::new(of), subquery })
            }
            Type::Vector => {
                Err(Refusal::metricsql(at, "a range belongs to a selector; of others write `[5m:]`"))
            }
            kind => Err(Refusal::metricsql(
                at,
                format!("a range is of an instant vector, not of {}", kind.name()),
            )),
        }
    }

    /// A duration, or what is made of durations.
    fn duration(&mut self) -> Parsed<()> {
        let at = self.at;
        if is_duration(&self.expr(Operator::Sum("+").precedence())?) {
            return Ok(());
        }
        Err(Refusal::syntax(at, "expected a duration such as `5m`"))
    }
}

fn is_duration(expr: &Expr) -> bool {
    match expr {
        Expr::Number(_) => true,
        Expr::Negated(of) => is_duration(of),
        Expr::Binary(binary) => is_duration(&binary.left) && is_duration(&binary.right),
        Expr::Call(call) => matches!(call.function.as_str(), "step" | "range"),
        _ => false,
    }
}
