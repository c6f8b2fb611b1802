//! Files that the config names: secrets and certificates.

use std::hash::{DefaultHasher, Hash as _};
use std::path::{Path, PathBuf};

use super::Checker;
use crate::config::Secret;
use crate::config::at::At;
use crate::config::cited::cited;
use crate::config::mask::is_plain_path;
use crate::config::position::Position;

/// A secret is a line, a certificate bundle some hundred KiB; more is the wrong file.
const MAX_FILE_BYTES: u64 = 4 << 20;

impl Checker<'_> {
    /// A path from the file: expanded, relative to the config's directory.
    pub(super) fn path(&mut self, at: &At<String>) -> Option<PathBuf> {
        let text = self.expand(at.position, &at.value)?;
        if text.is_empty() {
            self.refuse(at.position, "expected a path, found nothing");
            return None;
        }
        Some(self.base_dir.join(text))
    }

    /// The path of a file that can be read, for someone who reads it later; its content goes into `hasher`.
    pub(super) fn readable_file(&mut self, at: &At<String>, hasher: &mut DefaultHasher) -> Option<PathBuf> {
        let path = self.path(at)?;
        if self.secrets.instead_of_file().is_none() {
            self.content(at.position, &path)?.hash(hasher);
        }
        Some(path)
    }

    /// The text of a secret's file, without the newline at its end.
    pub(super) fn secret_file(&mut self, at: &At<String>) -> Option<String> {
        let path = self.path(at)?;
        if let Some(stand_in) = self.secrets.instead_of_file() {
            return Some(stand_in);
        }
        let content = self.content(at.position, &path)?;
        let Ok(text) = String::from_utf8(content) else {
            self.refuse(at.position, format!("{} is not UTF-8 text", self.shown(&path)));
            return None;
        };
        let text = text.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            self.refuse(at.position, format!("{} is empty", self.shown(&path)));
            return None;
        }
        Some(text.to_owned())
    }

    /// The text of a file of certificates or keys, as it is.
    pub(super) fn pem_file(&mut self, at: &At<String>) -> Option<Secret> {
        let path = self.path(at)?;
        if let Some(stand_in) = self.secrets.instead_of_file() {
            return Some(Secret::new(stand_in));
        }
        let content = self.content(at.position, &path)?;
        // what is no text is no PEM, and that is said of it
        Some(Secret::new(String::from_utf8(content).unwrap_or_default()))
    }

    fn content(&mut self, position: Position, path: &Path) -> Option<Vec<u8>> {
        match self.files.read(path, MAX_FILE_BYTES) {
            Ok(content) if content.len() as u64 > MAX_FILE_BYTES => {
                self.refuse(position, format!("{} is larger than 4MiB", self.shown(path)));
                None
            }
            Ok(content) => Some(content),
            Err(error) => {
                self.refuse(position, format!("cannot read {}: {error}", self.shown(path)));
                None
            }
        }
    }

    /// What a file is called in messages. A token or a password that was given in the place of a path is not shown.
    fn shown(&self, path: &Path) -> String {
        let written = path.strip_prefix(self.base_dir).unwrap_or(path);
        if written.to_str().is_some_and(is_plain_path) {
            format!("`{}`", cited(&path.to_string_lossy()))
        } else {
            "the file named here (not shown: it looks like a secret, and a path is expected)".to_owned()
        }
    }
}
