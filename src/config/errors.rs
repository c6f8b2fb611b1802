//! What is wrong with a config file, rendered for the person who wrote it.

use std::fmt;

use super::files::FilesRead;
use super::position::Position;
use super::source::{Excerpt, MASK};

/// Everything found wrong with one file, in the order of the file. `Display` renders all of it.
#[derive(Clone, Debug)]
pub struct ConfigErrors {
    file: String,
    errors: Vec<ConfigError>,
    files: FilesRead,
}

/// One mistake.
#[derive(Clone, Debug)]
pub struct ConfigError {
    position: Position,
    message: String,
    excerpt: Option<Excerpt>,
    note: Option<Note>,
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
        Self { file: file.to_owned(), errors, files }
    }

    /// The mistakes, in the order of the file. Never empty.
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
        Self { position, message: message.into(), excerpt, note: None }
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
            self.message = self.message.replace(secret, MASK);
            self.note = self.note.filter(|note| !note.excerpt.text.contains(secret));
        }
        self
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

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.errors.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            error.render(&self.file, f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}
