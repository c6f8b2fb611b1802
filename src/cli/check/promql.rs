//! A reader of PromQL as Prometheus 3 has it: text to tree, or what is wrong and where.
//!
//! What only MetricsQL (VictoriaMetrics) has is told from what is a mistake, where it can be.

mod arguments;
mod binary;
mod functions;
mod grouping;
mod kind;
mod lexer;
mod number;
mod parser;
mod postfix;
mod primary;
mod selector;
mod text;
mod tree;

pub(super) use parser::parse;
pub(super) use text::unquote;
pub(super) use tree::{Aggregate, Binary, Call, Expr, Keep, Operator, Selector};

/// Why a text was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Where, in bytes from the start of the text.
    pub(super) offset: usize,
    pub(super) message: String,
    pub(super) because: Because,
}

/// What kind of reason it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Because {
    /// It is no PromQL.
    Syntax,
    /// It is no PromQL, but MetricsQL may have it.
    MetricsQl,
    /// We do not read what is so long or so deep.
    Limit,
}

impl Refusal {
    fn syntax(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), because: Because::Syntax }
    }

    fn metricsql(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), because: Because::MetricsQl }
    }

    fn limit(offset: usize, message: impl Into<String>) -> Self {
        Self { offset, message: message.into(), because: Because::Limit }
    }
}

#[cfg(test)]
mod tests;
