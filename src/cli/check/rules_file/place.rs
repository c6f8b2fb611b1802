//! Where in the file a part of an expression stands.

use crate::config::{Position, Source};

/// Where an expression starts: the block that holds it may start with a comment.
pub(super) fn start(source: &Source<'_>, position: Position) -> Position {
    let tail = |position| source.tail(position).unwrap_or_default();
    if !tail(position).starts_with('#') {
        return position;
    }
    let lines = (position.line + 1..).map(|line| Position { line, column: 1 });
    let mut lines = lines.map_while(|start| Some((start, source.tail(start)?)));
    let Some((start, text)) = lines.find(|(_, text)| says_something(text)) else { return position };
    let indent = text.chars().take_while(|c| c.is_whitespace()).count();
    Position { column: number(indent + 1), ..start }
}

/// The place of a byte of a value that stands at `position`; `None` where the file has the value in another form
/// (folded, escaped).
pub(super) fn of(source: &Source<'_>, position: Position, value: &str, offset: usize) -> Option<Position> {
    let before = value.get(..offset)?;
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = value[line_start..].lines().next().unwrap_or_default();
    // The position is that of the first line that is not empty.
    let number_of = |text: &str| text.matches('\n').count();
    let empty = number_of(&value[..value.len() - value.trim_start().len()]);
    let down = number_of(before).checked_sub(empty)?;
    let column = if down == 0 { position.column } else { 1 };
    let written = Position { line: position.line + number(down), column };
    let text = source.tail(written)?;
    let indent = text[..text.find(line)?].chars().count();
    Some(Position {
        column: written.column + number(indent + before[line_start..].chars().count()),
        ..written
    })
}

fn says_something(line: &str) -> bool {
    !line.trim().is_empty() && !line.trim().starts_with('#')
}

fn number(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(0)
}
