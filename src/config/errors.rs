//! What is wrong with a config file, rendered for the person who wrote it.

use std::fmt;

use super::excerpt::Excerpt;
use super::files::FilesRead;
use super::position::Position;
use super::source::{MASK, Source};

/// Mistakes of a config file that are shown. Those that are of the file as a whole are a few, and come on top.
const MAX_SHOWN: usize = 50;
/// Letters of a secret that is no part of a word of ours by accident.
const LONG_SECRET: usize = 8;

/// What was found wrong with one file, in the order of the file. `Display` renders all of it.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    file: String,
    errors: Vec<ConfigError>,
    /// Further ones that were found.
    more: usize,
    files: FilesRead,
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct ConfigError {
    position: Position,
    message: String,
    excerpt: Option<Excerpt>,
    /// How many characters of its line are shown from its place on, if not all.
    until: Option<usize>,
    note: Option<Note>,
    /// Whether the message repeats nothing of the file.
    quotes_nothing: bool,
}

/// A text that the file has in another form (folded, escaped), with a caret of its own.
#[derive(Clone, Debug)]
pub(crate) struct Note {
    pub(crate) label: &'static str,
    pub(crate) excerpt: Excerpt,
}

/// Where something stands that is judged later, by who knows more than the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Place {
    pub(crate) position: Position,
    pub(crate) excerpt: Option<Excerpt>,
}

impl ConfigErrors {
    pub(crate) fn new(file: &str, mut errors: Vec<ConfigError>, files: FilesRead) -> Self {
        // What concerns the file as a whole has no place and comes first.
        errors.sort_by_key(|error| error.position);
        Self { file: file.to_owned(), errors, more: 0, files }
    }

    /// The same with further mistakes that are counted only.
    pub(crate) fn and_more(self, more: usize) -> Self {
        Self { more, ..self }
    }

    /// How many mistakes were found beyond those that are told.
    pub fn more(&self) -> usize {
        self.more
    }

    /// The mistakes that are told, in the order of the file. Never empty.
    pub fn errors(&self) -> &[ConfigError] {
        &self.errors
    }

    /// The file and each file it names, so that a watcher reports a bad file once.
    pub fn files(&self) -> &FilesRead {
        &self.files
    }
}

impl ConfigError {
    pub(crate) fn new(position: Position, message: impl Into<String>, excerpt: Option<Excerpt>) -> Self {
        Self { position, message: message.into(), excerpt, until: None, note: None, quotes_nothing: false }
    }

    /// The first ones of a file, and how many there are beyond.
    pub(crate) fn first(mut all: Vec<Self>) -> (Vec<Self>, usize) {
        all.sort_by_key(|error| error.position);
        let whole_file = all.partition_point(|error| !error.position.is_known());
        let found = all.len();
        all.truncate(whole_file + MAX_SHOWN);
        let more = found - all.len();
        (all, more)
    }

    /// The same with so many characters of its line from its place on.
    pub(crate) fn until(self, until: Option<usize>) -> Self {
        Self { until, ..self }
    }

    /// The same with its line.
    pub(crate) fn shown_in(mut self, source: &Source<'_>) -> Self {
        self.excerpt = source.excerpt(self.position, self.until);
        self
    }

    pub(crate) fn position(&self) -> Position {
        self.position
    }

    pub(crate) fn with_note(mut self, note: Option<Note>) -> Self {
        self.note = note;
        self
    }

    /// The same without these texts: they are secrets, and stand where a message may repeat them.
    pub(crate) fn without(mut self, secrets: &[String]) -> Self {
        for secret in secrets {
            if !self.quotes_nothing {
                self.message = without(&self.message, secret);
            }
            self.note = self.note.filter(|note| !note.excerpt.text.contains(secret));
        }
        self
    }

    /// The same where the message consists of words of ours.
    pub(crate) fn quoting_nothing(self, quotes_nothing: bool) -> Self {
        Self { quotes_nothing, ..self }
    }

    pub(crate) fn prefixed(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// Line, from 1; `None` if the mistake is not at one place.
    pub fn line(&self) -> Option<u32> {
        self.position.is_known().then_some(self.position.line)
    }

    /// Column in characters, from 1.
    pub fn column(&self) -> Option<u32> {
        self.position.is_known().then_some(self.position.column)
    }

    /// What is wrong and what was expected, without the place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Its place and the message, without the line of the file.
    pub(crate) fn in_one_line(&self, file: &str) -> String {
        match self.line() {
            None => format!("{file}: {}", self.message),
            Some(line) => format!("{file}:{line}:{}: {}", self.position.column, self.message),
        }
    }

    fn render(&self, file: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.in_one_line(file))?;
        let gutter = self.position.line.to_string();
        if let Some(excerpt) = &self.excerpt {
            write!(f, "\n  {gutter} | {}\n", excerpt.text)?;
            write!(f, "  {:1$} | ", "", gutter.len())?;
            write!(f, "{:1$}^", "", excerpt.caret)?;
        }
        if let Some(Note { label, excerpt }) = &self.note {
            write!(f, "\n  {label}: {}\n", excerpt.text)?;
            write!(f, "  {:1$}^", "", label.len() + 2 + excerpt.caret)?;
        }
        Ok(())
    }
}

/// A message without a secret. A short one may be a part of the words of the message, which are not in backquotes.
fn without(message: &str, secret: &str) -> String {
    if secret.chars().count() >= LONG_SECRET {
        return message.replace(secret, MASK);
    }
    let of_word = |c: char| c.is_alphanumeric() || c == '_';
    let (mut told, mut from) = (String::new(), 0);
    for (at, found) in message.match_indices(secret) {
        let (before, behind) = (&message[..at], &message[at + found.len()..]);
        let is_quoted = before.matches('`').count() % 2 == 1;
        if is_quoted && !before.ends_with(of_word) && !behind.starts_with(of_word) {
            told.push_str(&message[from..at]);
            told.push_str(MASK);
            from = at + found.len();
        }
    }
    told.push_str(&message[from..]);
    told
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            error.render(&self.file, f)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
