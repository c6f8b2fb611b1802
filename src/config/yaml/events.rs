//! The text as a stream of events: the only file that calls the YAML crate, so that it can be exchanged.

use std::borrow::Cow;

use granit_parser::{
    ErrorKind, Event as Parsed, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, StructureStyle,
};

use super::Refusal;
use super::scalar::Tag;
use crate::config::lines::lines;
use crate::config::position::Position;

pub(super) enum Event<'t> {
    DocumentStart,
    /// `written` with `...`
    DocumentEnd {
        written: bool,
    },
    Scalar {
        text: Cow<'t, str>,
        plain: bool,
        end: Position,
        properties: Properties,
    },
    List(Properties),
    Mapping(Properties),
    /// Of a list or mapping.
    End,
    /// For the node with this anchor.
    Alias(usize),
    /// The ends of the stream.
    Other,
}

/// What stands before a node.
pub(super) struct Properties {
    /// Of each anchor another one; 0 for none.
    pub(super) anchor: usize,
    pub(super) tag: Tag,
    /// Where the tag is written, if there is one.
    pub(super) tag_position: Position,
    /// Whether it is a list or a mapping in brackets.
    pub(super) in_brackets: bool,
}

/// The events of a text with their places, up to the first that is no YAML.
pub(super) struct Events<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
}

impl<'t> Events<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let options = granit_parser::options! { emit_comments: false };
        Self { parser: Parser::new_from_str_with_options(text, options), text }
    }
}

impl<'t> Iterator for Events<'t> {
    type Item = Result<(Event<'t>, Position), Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(match self.parser.next_event()? {
            Ok((event, span)) => Ok((translated(event, &span), position(&span.start))),
            Err(error) => Err(refusal(&error, self.text)),
        })
    }
}

fn translated<'t>(event: Parsed<'t>, span: &Span) -> Event<'t> {
    let properties = |anchor, tag: Option<Cow<'_, granit_parser::Tag>>| Properties {
        anchor,
        tag: tag.map_or(Tag::None, |tag| meant(&tag)),
        tag_position: position(&span.tag_start.unwrap_or(span.start)),
        in_brackets: false,
    };
    match event {
        Parsed::DocumentStart(..) => Event::DocumentStart,
        Parsed::DocumentEnd => Event::DocumentEnd { written: !span.is_empty() },
        Parsed::Scalar(text, style, anchor, tag) => {
            let plain = style == ScalarStyle::Plain;
            Event::Scalar { text, plain, end: position(&span.end), properties: properties(anchor, tag) }
        }
        Parsed::SequenceStart(style, anchor, tag) => {
            Event::List(Properties { in_brackets: style == StructureStyle::Flow, ..properties(anchor, tag) })
        }
        Parsed::MappingStart(style, anchor, tag) => Event::Mapping(Properties {
            in_brackets: style == StructureStyle::Flow,
            ..properties(anchor, tag)
        }),
        Parsed::SequenceEnd | Parsed::MappingEnd => Event::End,
        Parsed::Alias(anchor) => Event::Alias(anchor),
        _ => Event::Other,
    }
}

fn meant(tag: &granit_parser::Tag) -> Tag {
    let (handle, suffix) = tag.parts();
    let written = format!("{handle}{suffix}");
    match tag.core_suffix().or_else(|| written.strip_prefix('!')) {
        Some("null") => Tag::Null,
        Some("bool") => Tag::Bool,
        Some("int") => Tag::Int,
        Some("float") => Tag::Float,
        Some("str") => Tag::Text,
        Some("") => Tag::Unguessed,
        Some("seq") => Tag::List,
        Some("map") => Tag::Mapping,
        _ => Tag::Other,
    }
}

fn position(marker: &Marker) -> Position {
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Position { line: narrow(marker.line()), column: narrow(marker.col() + 1) }
}

fn refusal(error: &ScanError, text: &str) -> Refusal {
    let place = position(error.marker());
    let place = if is_tab(error.kind()) { tab_from(place, text).unwrap_or(place) } else { place };
    Refusal::new(place, words(error.kind()))
}

fn is_tab(error: &ErrorKind) -> bool {
    matches!(
        error,
        ErrorKind::TabNotAllowed
            | ErrorKind::TabInBlockIndentation
            | ErrorKind::TabAtBlockScalarStart
            | ErrorKind::TabInIndentation
            | ErrorKind::TabInPlainScalar
    )
}

/// The first tab in front of a text behind `place`, where the line there has none: of a value of several lines only the
/// beginning is told.
fn tab_from(place: Position, text: &str) -> Option<Position> {
    let first = (place.line as usize).checked_sub(1)?;
    let tab = |line: &str| {
        let text = line.find(|c: char| !matches!(c, ' ' | '\t'))?;
        line[..text].find('\t')
    };
    let lines = lines(text);
    let (behind, column) =
        lines.get(first..)?.iter().enumerate().find_map(|(n, line)| Some((n, tab(line)?)))?;
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    (behind > 0).then(|| Position { line: place.line + narrow(behind), column: narrow(column + 1) })
}

/// In the parser's own words, but for the mistakes that everybody makes.
fn words(error: &ErrorKind) -> String {
    let hint = match error {
        error if is_tab(error) => return "YAML is not indented with tabs; use spaces".into(),
        ErrorKind::UnknownAnchor => {
            return "no anchor of this name (`&name`) stands before this alias".into();
        }
        ErrorKind::UnexpectedEofFlowMapping
        | ErrorKind::UnexpectedEofImplicitFlowMapping
        | ErrorKind::ExpectedFlowMappingSeparator
        | ErrorKind::FlowMappingValueAdjacentCollection => {
            "; inside `{ }` a value that holds `{`, `}`, `,` or `: ` needs quotes"
        }
        ErrorKind::InvalidTrailingDoubleQuotedScalar => {
            "; a selector, which has quotes of its own, goes into single ones: '{pod=~\"web-.*\"}'"
        }
        ErrorKind::InvalidTrailingSingleQuotedScalar => {
            "; inside single quotes a value stands in double ones: '{pod=~\"web-.*\"}'"
        }
        _ => "",
    };
    format!("not valid YAML: {}{hint}", error.to_string().replace(char::is_control, " "))
}
