//! The fenced blocks of a document.

use std::fs;
use std::path::{Path, PathBuf};

/// A fenced block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The word behind the fence.
    pub kind: String,
    /// The line of the fence, from 1.
    pub line: usize,
    pub lines: Vec<String>,
}

impl Block {
    /// The path that the block names as its own: a first line `# PATH`.
    pub fn path(&self) -> Option<&str> {
        let path = self.lines.first()?.strip_prefix("# ")?;
        (path.contains('.') && !path.contains(' ')).then_some(path)
    }

    pub fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// All blocks of a document.
pub fn of(document: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for (line, text) in (1..).zip(document.lines()) {
        match (text.trim_start().strip_prefix("```"), open) {
            (Some(_), true) => open = false,
            (Some(kind), false) => {
                blocks.push(Block { kind: kind.to_owned(), line, lines: Vec::new() });
                open = true;
            }
            (None, true) => blocks.last_mut().expect("a block is open").lines.push(text.to_owned()),
            (None, false) => {}
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a document, by its path in the project.
pub fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// All documents, by their paths in the project: those at its top, under docs and of the harness.
pub fn documents() -> Vec<String> {
    let mut found = Vec::new();
    for dir in ["", "docs", "loadtest"] {
        let entries = fs::read_dir(root().join(dir)).expect("a directory");
        let paths = entries.map(|entry| PathBuf::from(dir).join(entry.expect("an entry").file_name()));
        found.extend(paths.filter(|path| path.extension().is_some_and(|kind| kind == "md")));
    }
    found.sort();
    found.into_iter().map(|path| path.to_str().expect("a plain name").to_owned()).collect()
}

#[test]
fn a_block_has_a_kind_a_place_and_perhaps_a_path() {
    let blocks = of("text\n```yaml\n# a/b.yaml\nx: 1\n```\n- item\n\n  ```console\n$ one\n```\n");
    let kinds: Vec<_> = blocks.iter().map(|block| (block.kind.as_str(), block.line)).collect();
    assert_eq!(kinds, [("yaml", 2), ("console", 8)]);
    assert_eq!(blocks[0].path(), Some("a/b.yaml"));
    assert_eq!(blocks[1].path(), None);
    assert_eq!(blocks[0].text(), "# a/b.yaml\nx: 1\n");
}
