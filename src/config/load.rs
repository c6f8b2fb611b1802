//! From a path to a checked [`Config`].

use std::io::{self, Read};
use std::path::Path;

use super::Config;
use super::check::{Checker, unquoted_address};
use super::errors::{ConfigError, ConfigErrors, Place};
use super::files::FilesRead;
use super::lines::lines;
use super::position::Position;
use super::reading::{self, Reading};
use super::remarks::{Found, Remarks};
use super::secrets::Secrets;
use super::source::Source;
use super::yaml::Refusal;

/// A thousand policies are some 200 KiB.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A config that was found good.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What the file means.
    pub config: Config,
    /// The file and each file it names (secrets, certificates), to tell when one of them changes.
    pub files: FilesRead,
    /// What is no mistake, and worth saying.
    pub remarks: Remarks,
    /// Where `series.max_tracked` stands, or what decides over it.
    pub(crate) max_tracked: Place,
}

impl Config {
    /// Reads and checks a file. Relative paths in it start at its directory; `env` gives environment variables.
    pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigErrors> {
        Self::load_file(path, Secrets::Asked(env))
    }

    /// The same, with or without its secrets.
    pub fn load_file(path: &Path, secrets: Secrets<'_>) -> Result<Loaded, ConfigErrors> {
        let (text, files) = read_file(path)?;
        let base_dir = path.parent().unwrap_or(Path::new(""));
        Self::parse_file(&text, &path.display().to_string(), base_dir, secrets, files)
    }

    /// Reads and checks what comes from standard input or a pipe, which nobody can read again. `name` is for the errors, relative
    /// paths start at the working directory.
    pub fn load_stream(stream: impl Read, name: &str, secrets: Secrets<'_>) -> Result<Loaded, ConfigErrors> {
        let text = read_stream(stream, name)?;
        Self::parse_file(&text, name, Path::new(""), secrets, FilesRead::default())
    }

    /// Checks a text. `file_name` is for the errors, relative paths start at `base_dir`.
    pub fn parse(
        text: &str,
        file_name: &str,
        base_dir: &Path,
        env: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Loaded, ConfigErrors> {
        Self::parse_file(text, file_name, base_dir, Secrets::Asked(env), FilesRead::default())
    }

    fn parse_file(
        text: &str,
        file_name: &str,
        base_dir: &Path,
        secrets: Secrets<'_>,
        mut files: FilesRead,
    ) -> Result<Loaded, ConfigErrors> {
        let (errors, more) = match checked(text, base_dir, secrets, &mut files) {
            Ok(Checked { config, found, max_tracked }) => {
                let remarks = Remarks::new(file_name, found);
                return Ok(Loaded { config, files, remarks, max_tracked });
            }
            Err(found) => found,
        };
        Err(ConfigErrors::new(file_name, errors, files).and_more(more))
    }
}

/// The text of a file, if it is one of bearable size.
pub(crate) fn read_text(path: &Path) -> Result<String, ConfigErrors> {
    read_file(path).map(|(text, _)| text)
}

/// The same of what comes from standard input or a pipe; `name` is for the errors.
pub(crate) fn read_stream(stream: impl Read, name: &str) -> Result<String, ConfigErrors> {
    let mut bytes = Vec::new();
    let read = stream.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map(|_| bytes);
    text_of(read, name, &FilesRead::default())
}

fn read_file(path: &Path) -> Result<(String, FilesRead), ConfigErrors> {
    let mut files = FilesRead::default();
    let read = files.read(path, MAX_FILE_BYTES);
    let text = text_of(read, &path.display().to_string(), &files)?;
    Ok((text, files))
}

/// The text that was read, if it is one of bearable size.
fn text_of(read: io::Result<Vec<u8>>, name: &str, files: &FilesRead) -> Result<String, ConfigErrors> {
    let whole_file = |message: String| {
        ConfigErrors::new(name, vec![ConfigError::new(Position::default(), message, None)], files.clone())
    };
    let bytes = read.map_err(|error| whole_file(format!("cannot read the file: {error}")))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(whole_file("the file is larger than 16MiB".into()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let wrong = not_utf8(error.as_bytes(), error.utf8_error().valid_up_to());
        ConfigErrors::new(name, vec![wrong], files.clone())
    })
}

/// What a text without mistakes means, and what was found.
struct Checked {
    config: Config,
    found: Found,
    max_tracked: Place,
}

fn checked(
    text: &str,
    base_dir: &Path,
    secrets: Secrets<'_>,
    files: &mut FilesRead,
) -> Result<Checked, (Vec<ConfigError>, usize)> {
    let mut source = Source::new(text);
    if source.is_blank() {
        let message = "the file is empty; the least is\nupstreams:\n  - { name: primary, url: http://HOST:PORT/api/v1/write }";
        return Err((vec![ConfigError::new(Position::default(), message, None)], 0));
    }
    let Reading { raw, refusals, unread, aliased, guarded } = reading::parse(text);
    source.guard(guarded);
    let (refusals, concealed) = without_secrets(&source, refusals);
    let unknown = refusals.iter().filter(|refusal| refusal.unknown_key.is_some());
    source.hide_behind(unknown.map(|refusal| refusal.position));
    if raw.is_none() || !concealed.is_empty() {
        source.distrust();
    }
    // what seemed to be a key may be a part of a secret in a text that is no YAML
    let (refusals, concealed_too) = without_secrets(&source, refusals);
    source.conceal(&concealed);
    source.conceal(&concealed_too);
    let secret_texts = secret_texts(&source, aliased);
    let errors = refusals.into_iter().map(|refusal| mistake(&source, refusal)).collect();
    let hidden = |errors: Vec<ConfigError>| {
        let told = |error: ConfigError| {
            let own = source.texts_not_shown(error.position());
            error.shown_in(&source).without(&own).without(&secret_texts)
        };
        let (first, more) = ConfigError::first(errors);
        (first.into_iter().map(told).collect(), more)
    };
    let Some(raw) = raw else { return Err(hidden(errors)) };
    let mut checker = Checker::new(&source, base_dir, secrets, std::mem::take(files));
    (checker.errors, checker.unread) = (errors, unread);
    let config = checker.config(&raw);
    *files = checker.files;
    match config {
        Some(config) if checker.errors.is_empty() => {
            let position = raw.series.max_tracked.position.or(raw.memory.position());
            let max_tracked = Place { position, excerpt: source.excerpt(position, None) };
            let found = checker.remarks.into_iter();
            let found = found.map(|(weight, remark)| (weight, remark.without(&secret_texts))).collect();
            Ok(Checked { config, found, max_tracked })
        }
        _ => Err(hidden(checker.errors)),
    }
}

fn mistake(source: &Source<'_>, refusal: Refusal) -> ConfigError {
    // Only the key is shown: what follows it may be a secret under a misspelt name.
    let until = refusal.unknown_key.as_ref().map(|key| key.chars().count());
    let tail = source.tail(refusal.position).filter(|_| until.is_none());
    let address = tail.and_then(unquoted_address);
    // what the reader says of a value repeats nothing of it
    let quotes_nothing = address.is_none() && until.is_none();
    let message = address.unwrap_or(refusal.message);
    ConfigError::new(refusal.position, message, None).until(until).quoting_nothing(quotes_nothing)
}

/// Of the texts that aliases stand for those that are secrets: where an alias stands may be anything, and messages repeat
/// what is wrong there.
fn secret_texts(source: &Source<'_>, aliased: Vec<(Position, String)>) -> Vec<String> {
    let secrets =
        aliased.into_iter().filter(|(position, text)| !text.is_empty() && source.hides_part_of(*position));
    // one may be a part of another
    let mut texts: Vec<String> = secrets.flat_map(|(_, text)| [text.trim().to_owned(), text]).collect();
    texts.retain(|text| !text.is_empty());
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts.dedup();
    texts
}

/// Without the names of keys that may be parts of secrets, and where those are: a key that stands where a secret may be, or that
/// nobody wrote as a key.
fn without_secrets(source: &Source<'_>, refusals: Vec<Refusal>) -> (Vec<Refusal>, Vec<Position>) {
    let mut concealed = Vec::new();
    let refusals = refusals.into_iter().map(|refusal| match &refusal.unknown_key {
        Some(key) if source.hides(refusal.position) || !source.is_key(refusal.position, key) => {
            concealed.push(refusal.position);
            refusal.hidden()
        }
        _ => refusal,
    });
    (refusals.collect(), concealed)
}

fn not_utf8(bytes: &[u8], valid: usize) -> ConfigError {
    let before = String::from_utf8_lossy(&bytes[..valid]);
    // the byte stands behind the last of these characters
    let whole = lines(&before);
    let is_new = before.is_empty() || before.ends_with(['\n', '\r']);
    let line = whole.len() + usize::from(is_new);
    let column = if is_new { 1 } else { whole.last().map_or(0, |last| last.chars().count()) + 1 };
    let narrow = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let position = Position { line: narrow(line), column: narrow(column) };
    ConfigError::new(position, format!("not UTF-8 text: byte 0x{:02x}", bytes[valid]), None)
}
