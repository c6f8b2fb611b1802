//! Operators, by precedence, and what stands with them: `bool`, `on`, `group_left`, `fill`.

use super::Refusal;
use super::kind::Type;
use super::lexer::Token;
use super::parser::{Parsed, Parser};
use super::tree::{Binary, Expr, Keep, Operator};

/// What stands behind an operator.
#[derive(Default)]
struct Modifiers {
    boolean: bool,
    matching: Option<Keep>,
    group: Option<(bool, Vec<String>)>,
}

impl Parser<'_> {
    /// An expression of operators that bind as tight as `lowest` at least.
    pub(super) fn expr(&mut self, lowest: u8) -> Parsed<Expr> {
        self.nested(|parser| {
            let mut left = parser.unary()?;
            while let Some(op) = parser.operator().filter(|op| op.precedence() >= lowest) {
                let at = parser.at;
                parser.next()?;
                let modifiers = parser.modifiers()?;
                // A power is raised to what is on its right first.
                let tighter = op.precedence() + u8::from(op != Operator::Power);
                let right = parser.expr(tighter)?;
                left = combined(op, modifiers, left, right).map_err(|why| Refusal::syntax(at, why))?;
            }
            Ok(left)
        })
    }

    /// Signs bind as `*` does: `-2 ^ 2` is -4. Any number of them is one.
    fn unary(&mut self) -> Parsed<Expr> {
        let (at, mut signs, mut negative) = (self.at, false, false);
        while self.is("+") || self.is("-") {
            negative ^= self.is("-");
            signs = true;
            self.next()?;
        }
        if !signs {
            return self.postfix();
        }
        let of = self.expr(Operator::Power.precedence())?;
        match of {
            _ if !matches!(of.kind(), Type::Scalar | Type::Vector) => {
                Err(Refusal::syntax(at, format!("{} has no sign", of.kind().name())))
            }
            Expr::Number(number) if negative => Ok(Expr::Number(-number)),
            of if negative => Ok(Expr::Negated(Box::new(of))),
            of => Ok(of),
        }
    }

    /// The operator that is next, if one is.
    fn operator(&self) -> Option<Operator> {
        match &self.token {
            Token::Sign(sign) => match *sign {
                "==" | "!=" | "<" | "<=" | ">" | ">=" => Some(Operator::Compare(sign)),
                "+" | "-" => Some(Operator::Sum(sign)),
                "*" | "/" | "%" | "</" | ">/" => Some(Operator::Product(sign)),
                "^" => Some(Operator::Power),
                _ => None,
            },
            Token::Word(word) => match word.to_ascii_lowercase().as_str() {
                "or" => Some(Operator::Or),
                "and" => Some(Operator::And),
                "unless" => Some(Operator::Unless),
                "atan2" => Some(Operator::Product("atan2")),
                _ => None,
            },
            _ => None,
        }
    }

    fn modifiers(&mut self) -> Parsed<Modifiers> {
        let mut modifiers = Modifiers { boolean: self.take_word("bool")?, ..Modifiers::default() };
        modifiers.matching = if self.take_word("on")? {
            Some(Keep::These(self.labels()?))
        } else if self.take_word("ignoring")? {
            Some(Keep::Others(self.labels()?))
        } else {
            None
        };
        for (word, left) in [("group_left", true), ("group_right", false)] {
            if modifiers.matching.is_some() && modifiers.group.is_none() && self.take_word(word)? {
                let labels = if self.is("(") { self.labels()? } else { Vec::new() };
                modifiers.group = Some((left, labels));
            }
        }
        for word in ["fill", "fill_left", "fill_right"] {
            // Without a number behind it, it is the name of a metric.
            if self.is_word(word) && self.opens_behind() {
                self.next()?;
                self.expect("(")?;
                self.expr(0)?;
                self.expect(")")?;
            }
        }
        Ok(modifiers)
    }
}

/// Why these cannot be combined so, or the two with the operator between them.
fn combined(op: Operator, modifiers: Modifiers, left: Expr, right: Expr) -> Result<Expr, String> {
    let kinds = [left.kind(), right.kind()];
    let Modifiers { boolean, matching, group } = modifiers;
    if let Some(other) = kinds.iter().find(|kind| !matches!(kind, Type::Scalar | Type::Vector)) {
        return Err(format!("operators are between numbers and instant vectors, not {}", other.name()));
    }
    let numbers = kinds.iter().filter(|kind| **kind == Type::Scalar).count();
    let compares = matches!(op, Operator::Compare(_));
    let why = if boolean && !compares {
        "`bool` belongs to comparisons"
    } else if numbers == 2 && compares && !boolean {
        "a comparison of two numbers needs `bool`"
    } else if numbers > 0 && op.is_set() {
        "`and`, `or` and `unless` are between instant vectors"
    } else if numbers > 0 && matching.is_some() {
        "`on` and `ignoring` are for operators between instant vectors"
    } else if group.is_some() && op.is_set() {
        "`group_left` and `group_right` are not for `and`, `or` and `unless`"
    } else if shared(matching.as_ref(), group.as_ref()) {
        "a label cannot be in `on` and in the group"
    } else {
        let kind = if numbers == 2 { Type::Scalar } else { Type::Vector };
        return Ok(Expr::Binary(Box::new(Binary { op, boolean, matching, group, left, right, kind })));
    };
    Err(why.to_owned())
}

fn shared(matching: Option<&Keep>, group: Option<&(bool, Vec<String>)>) -> bool {
    match (matching, group) {
        (Some(Keep::These(on)), Some((_, taken))) => taken.iter().any(|label| on.contains(label)),
        _ => false,
    }
}
