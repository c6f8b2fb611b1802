//! Square brackets, and the classes that have a name.

use regex_syntax::hir::ClassUnicode;

use super::error::{LARGE, PatternError};
use super::property::{fold, of_range, property};
use super::translate::Parser;

const RANGE: &str = "invalid character class range";
const BRACKET: &str = "missing closing ]";

/// Before equal ones are merged: a class may name the same large property again and again.
const MAX_RANGES: usize = 1 << 18;

/// POSIX classes, which are ASCII; see <https://pkg.go.dev/regexp/syntax>.
const POSIX: [(&str, &[(u8, u8)]); 14] = [
    ("alnum", &[(b'0', b'9'), (b'A', b'Z'), (b'a', b'z')]),
    ("alpha", &[(b'A', b'Z'), (b'a', b'z')]),
    ("ascii", &[(0, 0x7f)]),
    ("blank", &[(b'\t', b'\t'), (b' ', b' ')]),
    ("cntrl", &[(0, 0x1f), (0x7f, 0x7f)]),
    ("digit", &[(b'0', b'9')]),
    ("graph", &[(b'!', b'~')]),
    ("lower", &[(b'a', b'z')]),
    ("print", &[(b' ', b'~')]),
    ("punct", &[(b'!', b'/'), (b':', b'@'), (b'[', b'`'), (b'{', b'~')]),
    ("space", &[(b'\t', b'\r'), (b' ', b' ')]),
    ("upper", &[(b'A', b'Z')]),
    ("word", WORD),
    ("xdigit", &[(b'0', b'9'), (b'A', b'F'), (b'a', b'f')]),
];
const DIGIT: &[(u8, u8)] = &[(b'0', b'9')];
/// Without `\v`, unlike `[:space:]`.
const SPACE: &[(u8, u8)] = &[(b'\t', b'\n'), (0x0c, b'\r'), (b' ', b' ')];
const WORD: &[(u8, u8)] = &[(b'0', b'9'), (b'A', b'Z'), (b'_', b'_'), (b'a', b'z')];

impl Parser<'_> {
    /// A class in brackets, which start here.
    pub(super) fn class(&mut self) -> Result<ClassUnicode, PatternError> {
        let start = self.at;
        self.at += 1;
        let negated = self.take("^");
        let first = self.at;
        let mut ranges = Vec::new();
        // A bracket that comes first is one of the characters.
        while self.at == first || !self.rest().starts_with(']') {
            let part = match self.posix()? {
                Some(class) => class,
                None => match self.escaped_class()? {
                    Some(class) => class,
                    None => self.range(start)?,
                },
            };
            ranges.extend_from_slice(part.ranges());
            if ranges.len() > MAX_RANGES {
                return Err(PatternError::new(LARGE, start));
            }
        }
        self.at += 1;
        Ok(self.completed(ClassUnicode::new(ranges), negated))
    }

    /// One character or a range of them. A hyphen first or last is itself.
    fn range(&mut self, class_start: usize) -> Result<ClassUnicode, PatternError> {
        let start = self.at;
        let low = self.class_char(class_start)?;
        let rest = self.rest();
        let mut high = low;
        if rest.len() >= 2 && rest.starts_with('-') && !rest.starts_with("-]") {
            self.at += 1;
            high = self.class_char(class_start)?;
        }
        if high < low {
            return Err(self.error(RANGE, start));
        }
        Ok(of_range(low, high))
    }

    fn class_char(&mut self, class_start: usize) -> Result<u32, PatternError> {
        match self.peek() {
            None => Err(PatternError::new(BRACKET, class_start)),
            Some('\\') => self.code_point(),
            Some(c) => {
                self.at += c.len_utf8();
                Ok(u32::from(c))
            }
        }
    }

    /// `[:alpha:]` or `[:^alpha:]`; without the end, these are characters like others.
    fn posix(&mut self) -> Result<Option<ClassUnicode>, PatternError> {
        let start = self.at;
        let name = self.rest().strip_prefix("[:").and_then(|rest| rest.split_once(":]"));
        let Some((name, _)) = name else { return Ok(None) };
        self.at += name.len() + 4;
        let plain = name.strip_prefix('^').unwrap_or(name);
        let Some((_, ranges)) = POSIX.iter().find(|(known, _)| *known == plain) else {
            return Err(self.error(RANGE, start));
        };
        Ok(Some(self.completed(ascii(ranges), plain.len() < name.len())))
    }

    /// `\d` and such, and `\p{…}`; none if it is another escape, or none at all.
    pub(super) fn escaped_class(&mut self) -> Result<Option<ClassUnicode>, PatternError> {
        let Some(kind) = self.rest().strip_prefix('\\').and_then(|rest| rest.chars().next()) else {
            return Ok(None);
        };
        let class = match kind {
            'd' | 'D' => ascii(DIGIT),
            's' | 'S' => ascii(SPACE),
            'w' | 'W' => ascii(WORD),
            'p' | 'P' => return self.unicode(kind == 'P').map(Some),
            _ => return Ok(None),
        };
        self.at += 2;
        Ok(Some(self.completed(class, kind.is_ascii_uppercase())))
    }

    /// `\p{Greek}`, `\p{^Greek}` or `\pN`.
    fn unicode(&mut self, negated: bool) -> Result<ClassUnicode, PatternError> {
        let start = self.at;
        self.at += 2;
        let name = if self.take("{") {
            let Some((name, _)) = self.rest().split_once('}') else {
                return Err(PatternError::new(RANGE, start));
            };
            self.at += name.len() + 1;
            name
        } else {
            let rest = self.rest();
            self.next();
            &rest[..rest.len() - self.rest().len()]
        };
        let plain = name.strip_prefix('^').unwrap_or(name);
        let class = property(plain).ok_or_else(|| self.error(RANGE, start))?;
        Ok(self.completed(class, negated != (plain.len() < name.len())))
    }

    /// Case is folded before the negation.
    fn completed(&self, mut class: ClassUnicode, negated: bool) -> ClassUnicode {
        if self.flags.fold_case {
            fold(&mut class);
        }
        if negated {
            class.negate();
        }
        class
    }
}

fn ascii(ranges: &[(u8, u8)]) -> ClassUnicode {
    let mut class = ClassUnicode::empty();
    for (low, high) in ranges {
        class.union(&of_range(u32::from(*low), u32::from(*high)));
    }
    class
}
