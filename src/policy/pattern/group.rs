//! Round brackets: groups, their names, and flags.

use super::error::PatternError;
use super::flags::Flags;
use super::limits::MAX_DEPTH;
use super::translate::Parser;

const PERL: &str = "invalid or unsupported Perl syntax";
const NAME: &str = "invalid named capture";

impl Parser<'_> {
    pub(super) fn open(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        let rest = self.rest();
        if rest.len() > 4 && rest.starts_with("(?P<") {
            self.named(4)?;
        } else if rest.len() > 3 && rest.starts_with("(?<") {
            self.named(3)?;
        } else if self.take("(?") {
            self.switches(start)?;
        } else {
            self.at += 1;
            self.names.push(None);
            self.out.open(true, start, self.flags);
        }
        if self.out.open_groups() > MAX_DEPTH as usize {
            return Err(PatternError::new("expression nests too deeply", start));
        }
        Ok(())
    }

    pub(super) fn close(&mut self) -> Result<(), PatternError> {
        let start = self.at;
        self.at += 1;
        self.flags = self.out.close().ok_or_else(|| PatternError::new("unexpected )", start))?;
        Ok(())
    }

    /// A group whose name starts `skip` further.
    fn named(&mut self, skip: usize) -> Result<(), PatternError> {
        let start = self.at;
        let rest = &self.rest()[skip..];
        let Some((name, _)) = rest.split_once('>') else { return Err(PatternError::new(NAME, start)) };
        self.at += skip + name.len() + 1;
        // Digits may lead and names may repeat: Go cares for neither.
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(self.error(NAME, start));
        }
        self.names.push(Some(name.into()));
        self.out.open(true, start, self.flags);
        Ok(())
    }

    /// What follows `(?`: flags, for the rest of the group around, or for a group of their own.
    fn switches(&mut self, start: usize) -> Result<(), PatternError> {
        let mut flags = self.flags;
        let (mut on, mut switched) = (true, false);
        while let Some(c) = self.next() {
            match c {
                'i' => flags.fold_case = on,
                'm' => flags.multi_line = on,
                's' => flags.dot_all = on,
                'U' => flags.lazy = on,
                '-' if on => on = false,
                ':' | ')' if on || switched => {
                    self.apply(flags, c == ':', start);
                    return Ok(());
                }
                _ => break,
            }
            switched = c != '-';
        }
        Err(self.error(PERL, start))
    }

    fn apply(&mut self, flags: Flags, group: bool, start: usize) {
        if group {
            self.out.open(false, start, self.flags);
        }
        self.flags = flags;
    }
}
